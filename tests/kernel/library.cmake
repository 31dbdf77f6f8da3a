# SPDX-License-Identifier: BSD-2-Clause
#
# The library on the patched kernel: each program has one property, and runs preloaded in a guest.
if(NOT TARGET ksmalloc)
  return()
endif()

# ksm_library_test(name [VARIABLE=VALUE...])
function(ksm_library_test name)
  add_executable(kernel-library-${name} library-${name}.c)
  target_link_libraries(kernel-library-${name} PRIVATE ksm_test_plain)
  target_compile_definitions(kernel-library-${name} PRIVATE KSM_TEST_PRELOADED)
  target_link_options(kernel-library-${name} PRIVATE -Wl,-z,dynamic-undefined-weak)
  ksm_add_test(NAME kernel/library-${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/library uml $<TARGET_FILE:kernel-library-${name}> ${ARGN}
    LABELS uml TIMEOUT 300)
  set_tests_properties(kernel/library-${name} PROPERTIES
    FIXTURES_REQUIRED kernel-uml RESOURCE_LOCK max-map-count)
endfunction()

ksm_library_test(hints)
ksm_library_test(split)
ksm_library_test(settled KSMALLOC_SAMPLE_MS=20)
ksm_library_test(merge-now)
ksm_library_test(refused KSMALLOC_SAMPLE_MS=1)
target_sources(kernel-library-refused PRIVATE ../faults/seccomp.c)
ksm_add_test(NAME kernel/library-speed COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/library-speed uml LABELS uml TIMEOUT 300)
set_tests_properties(kernel/library-speed PROPERTIES FIXTURES_REQUIRED kernel-uml RESOURCE_LOCK max-map-count)
