# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the third-party archives at configure time, unless they are in the cache, and
# defines the imported targets
#   ksm::jemalloc   small blocks; all names begin with ksm_je_
#   ksm::unwind     stacks, local unwinding only; names begin with ksm_U and ksm_unw_
# Whoever links them provides the functions that README.md lists. xxHash is used as a
# header (libxxhash-dev) and needs no target.

# The compiler of the environment (CC or cc) and not CMake's: builds with sanitizers or a
# second compiler share one result, and the numbers of bench/ do not depend on it.
# What it says goes straight to the terminal, since it takes minutes the first time.
execute_process(
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/build
  RESULT_VARIABLE ksm_third_party_result)
if(NOT ksm_third_party_result EQUAL 0)
  message(FATAL_ERROR "jemalloc and libunwind could not be built, see the line of third_party/build above")
endif()
execute_process(
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/build --print-prefix
  OUTPUT_VARIABLE KSM_THIRD_PARTY_PREFIX
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)

foreach(ksm_third_party_name IN ITEMS jemalloc unwind)
  if(NOT TARGET ksm::${ksm_third_party_name})
    add_library(ksm::${ksm_third_party_name} STATIC IMPORTED GLOBAL)
    set_target_properties(ksm::${ksm_third_party_name} PROPERTIES
      IMPORTED_LOCATION ${KSM_THIRD_PARTY_PREFIX}/lib/libksm_${ksm_third_party_name}.a
      INTERFACE_INCLUDE_DIRECTORIES ${KSM_THIRD_PARTY_PREFIX}/include)
  endif()
endforeach()

# libunwind.h declares the remote interface, which the archive does not have, otherwise.
set_property(TARGET ksm::unwind PROPERTY INTERFACE_COMPILE_DEFINITIONS UNW_LOCAL_ONLY)
find_package(Threads REQUIRED)
set_property(TARGET ksm::jemalloc PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
set_property(TARGET ksm::unwind PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)

# A change of the recipe makes CMake configure again.
file(GLOB ksm_third_party_inputs
  ${CMAKE_CURRENT_LIST_DIR}/VERSIONS ${CMAKE_CURRENT_LIST_DIR}/build
  ${CMAKE_CURRENT_LIST_DIR}/*/patches/*.patch)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ksm_third_party_inputs})
