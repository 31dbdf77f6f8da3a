# SPDX-License-Identifier: BSD-2-Clause
#
# What is missing on this machine is said first, all of it in one message, before anything takes time.
# Included before project(), which would stop at the first compiler that it does not find.

set(ksm_missing)
set(ksm_missing_groups)

# What is asked for here is asked for on behalf of the machine that is built for.
if(CMAKE_TOOLCHAIN_FILE)
  find_program(ksm_toolchain NAMES aarch64-linux-gnu-gcc NO_CACHE)
  if(NOT ksm_toolchain AND CMAKE_TOOLCHAIN_FILE MATCHES "cmake/aarch64.cmake$")
    message(FATAL_ERROR "Missing: a compiler for aarch64.\n"
      "On Debian this installs it, as root:  packaging/install-packages build cross")
  endif()
  include(${CMAKE_TOOLCHAIN_FILE})
endif()

# ksm_is_missing(what group): what names it for people, group is one of packaging/install-packages.
macro(ksm_is_missing what group)
  list(APPEND ksm_missing "${what}")
  list(APPEND ksm_missing_groups ${group})
endmacro()

# ksm_require_program(what group name...): one of the names in the PATH.
macro(ksm_require_program what group)
  unset(ksm_found)
  find_program(ksm_found NAMES ${ARGN} NO_CACHE)
  if(NOT ksm_found)
    ksm_is_missing("${what}" ${group})
  endif()
endmacro()

# ksm_require_library(what group module): its headers, known by the module's file of pkg-config.
macro(ksm_require_library what group module)
  if(ksm_pkg_config)
    execute_process(COMMAND ${ksm_pkg_config} --exists ${module} RESULT_VARIABLE ksm_result ERROR_QUIET)
  endif()
  if(NOT ksm_pkg_config OR NOT ksm_result EQUAL 0)
    ksm_is_missing("${what}" ${group})
  endif()
endmacro()

if(NOT CMAKE_C_COMPILER AND NOT DEFINED ENV{CC})
  ksm_require_program("a C compiler" build cc gcc clang)
endif()
if(NOT CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  ksm_require_program("a C++ compiler" build c++ g++ clang++)
endif()
if(CMAKE_GENERATOR MATCHES "Ninja" AND NOT CMAKE_MAKE_PROGRAM)
  ksm_require_program("ninja" build ninja ninja-build samu)
endif()
# jemalloc and libunwind, unless they are built already.
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../third_party/build --list-missing
  OUTPUT_VARIABLE ksm_tools OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCHALL "[^\n]+" ksm_tools "${ksm_tools}")
foreach(ksm_tool IN LISTS ksm_tools)
  if(NOT ksm_tool STREQUAL "cc" OR NOT "a C compiler" IN_LIST ksm_missing)
    ksm_is_missing("${ksm_tool}" build)
  endif()
endforeach()

unset(ksm_pkg_config)
if(DEFINED ENV{PKG_CONFIG})
  set(ksm_pkg_config $ENV{PKG_CONFIG})
else()
  find_program(ksm_pkg_config NAMES pkg-config pkgconf NO_CACHE)
endif()
if(NOT ksm_pkg_config)
  ksm_is_missing("pkg-config" build)
endif()
ksm_require_library("xxHash" build libxxhash)
if(KSMALLOC_TOOLS)
  ksm_require_library("libdw" build libdw)
  ksm_require_library("libelf" build libelf)
  ksm_require_library("jansson" build jansson)
  ksm_require_library("zlib" build zlib)
  ksm_require_library("protobuf-c" build libprotobuf-c)
  ksm_require_program("protoc-c" build protoc-c)
  ksm_require_library("ncursesw" build ncursesw)
  ksm_require_library("libmicrohttpd" build libmicrohttpd)
endif()
if(KSMALLOC_TESTS)
  ksm_require_library("Criterion" test criterion)
endif()

if(ksm_missing)
  list(REMOVE_DUPLICATES ksm_missing)
  list(REMOVE_DUPLICATES ksm_missing_groups)
  list(JOIN ksm_missing ", " ksm_missing)
  list(JOIN ksm_missing_groups " " ksm_groups)
  set(ksm_hint)
  if(ksm_groups STREQUAL "test")
    set(ksm_hint "\nOnly the tests need that: the preset release builds without them, and so does -DKSMALLOC_TESTS=OFF.")
  endif()
  message(FATAL_ERROR "Missing: ${ksm_missing}.\n"
    "On Debian this installs it, as root:  packaging/install-packages ${ksm_groups}${ksm_hint}")
endif()
