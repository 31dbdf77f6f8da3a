# SPDX-License-Identifier: BSD-2-Clause
#
# ksm_test_limit(out seconds): how long a test may take that takes no more than these seconds on a quiet machine.
#
# A limit is there for what hangs: with a load of 50 on two processors layout/abuse and run/ruby-heals took longer than theirs. So it
# is four times as much, but no more than forty minutes by that: limits that are longer were chosen with such loads in mind. What may
# take longer on a quiet machine never has less than what may not. Programs for another kind of machine are run by QEMU, and have so
# many times as long:
set(KSM_EMULATION_TIMES 8)

function(ksm_test_limit out seconds)
  math(EXPR limit "${seconds} * 4")
  if(limit GREATER 2400)
    set(limit 2400)
  endif()
  if(limit LESS seconds)
    set(limit ${seconds})
  endif()
  if(CMAKE_CROSSCOMPILING)
    math(EXPR limit "${limit} * ${KSM_EMULATION_TIMES}")
  endif()
  set(${out} ${limit} PARENT_SCOPE)
endfunction()
