# SPDX-License-Identifier: BSD-2-Clause
#
# Builds for aarch64 on another machine: Debian's cross compiler, its packages for arm64 unpacked in the cache, and QEMU
# for what is run while building. packaging/cross makes the folder; docs/install.md says more.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Once in a configuration: the file is included again and again, also for CMake's own trials.
if(NOT DEFINED ENV{KSMALLOC_CROSS_ROOT})
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../packaging/cross root
    OUTPUT_VARIABLE ksm_root OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE ksm_result)
  if(NOT ksm_result EQUAL 0)
    message(FATAL_ERROR "There are no libraries for aarch64, see the line of packaging/cross above")
  endif()
  set(ENV{KSMALLOC_CROSS_ROOT} ${ksm_root})
endif()
set(CMAKE_SYSROOT $ENV{KSMALLOC_CROSS_ROOT})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${CMAKE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# third_party/build and pkg-config ask the environment.
set(ENV{CC} aarch64-linux-gnu-gcc\ --sysroot=${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
