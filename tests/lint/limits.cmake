# SPDX-License-Identifier: BSD-2-Clause
#
# A test that may take longer than another one on a quiet machine may do so on a busy one, and none has less than it says.
include(${CMAKE_CURRENT_LIST_DIR}/../limit.cmake)
set(former 0)
foreach(seconds RANGE 30 7200 10)
  ksm_test_limit(limit ${seconds})
  if(limit LESS former OR limit LESS seconds)
    message(FATAL_ERROR "a limit of ${seconds} s becomes ${limit} s, after one of ${former} s")
  endif()
  set(former ${limit})
endforeach()
