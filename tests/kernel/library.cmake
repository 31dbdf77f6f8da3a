# SPDX-License-Identifier: BSD-2-Clause
#
# The library on the patched kernel: each program has one property, and runs preloaded in a guest.
if(NOT TARGET ksmalloc)
  return()
endif()

# ksm_library_program(name): library-NAME.c, a program that gets the library by LD_PRELOAD.
function(ksm_library_program name)
  add_executable(kernel-library-${name} library-${name}.c)
  target_link_libraries(kernel-library-${name} PRIVATE ksm_test_plain)
  target_compile_definitions(kernel-library-${name} PRIVATE KSM_TEST_PRELOADED)
  target_link_options(kernel-library-${name} PRIVATE -Wl,-z,dynamic-undefined-weak)
endfunction()

# ksm_library_test(name SCRIPT [argument...]): a script of this folder that boots User Mode Linux.
function(ksm_library_test name script)
  ksm_add_test(NAME kernel/library-${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${script} uml ${ARGN}
    LABELS uml TIMEOUT 300)
  # Guests raise vm.max_map_count, which another test wants to reach.
  set_tests_properties(kernel/library-${name} PROPERTIES
    FIXTURES_REQUIRED kernel-uml RESOURCE_LOCK max-map-count)
endfunction()

foreach(name hints split settled merge-now refused shared stress)
  ksm_library_program(${name})
endforeach()
target_link_libraries(kernel-library-stress PRIVATE Threads::Threads)
foreach(name refused split)
  target_sources(kernel-library-${name} PRIVATE ../faults/seccomp.c)
endforeach()

ksm_library_test(hints library $<TARGET_FILE:kernel-library-hints>)
ksm_library_test(hints-process library $<TARGET_FILE:kernel-library-hints> KSMALLOC_ADVISE=process)
ksm_library_test(split library $<TARGET_FILE:kernel-library-split>)
ksm_library_test(settled library $<TARGET_FILE:kernel-library-settled> KSMALLOC_SAMPLE_MS=20)
ksm_library_test(merge-now library $<TARGET_FILE:kernel-library-merge-now>)
ksm_library_test(refused library $<TARGET_FILE:kernel-library-refused> KSMALLOC_SAMPLE_MS=1)
ksm_library_test(shared library-shared $<TARGET_FILE:kernel-library-shared>)
ksm_library_test(stress library $<TARGET_FILE:kernel-library-stress> KSMALLOC_SAMPLE_MS=1)
ksm_library_test(speed library-speed)
