# SPDX-License-Identifier: BSD-2-Clause
# cmake --install: the library, its headers, what pkg-config and find_package need, the
# command and the manual pages. All of it may be installed with --prefix, and moved later: nothing
# that is installed holds the prefix.
include(CMakePackageConfigHelpers)
# With --component ksmalloc the same is installed, and the list of files for `uninstall` is left alone.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME ksmalloc)

if(TARGET ksmalloc)
  install(TARGETS ksmalloc EXPORT ksmalloc-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  list(TRANSFORM KSMALLOC_HELPERS PREPEND ksmalloc_ OUTPUT_VARIABLE ksmalloc_helpers)
  install(TARGETS ${ksmalloc_helpers}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${CMAKE_BINARY_DIR}/libksmalloc.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT ksmalloc-targets NAMESPACE ksmalloc:: FILE ksmalloc-targets.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ksmalloc)
  configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/ksmalloc-config.cmake.in
    ${CMAKE_BINARY_DIR}/ksmalloc-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ksmalloc)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/ksmalloc-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/ksmalloc-config.cmake
    ${CMAKE_BINARY_DIR}/ksmalloc-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ksmalloc)
  # GNUInstallDirs allows absolute folders, too.
  foreach(kind LIBDIR INCLUDEDIR)
    string(TOLOWER ksmalloc_${kind} name)
    file(RELATIVE_PATH ${name} ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_${kind}})
  endforeach()
  file(RELATIVE_PATH ksmalloc_prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" ksmalloc_prefix_from_pc ${ksmalloc_prefix_from_pc})
  configure_file(${CMAKE_CURRENT_LIST_DIR}/ksmalloc.pc.in ${CMAKE_BINARY_DIR}/ksmalloc.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/ksmalloc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/libksmalloc/include/ksmalloc
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET ksmalloc_command)
  install(TARGETS ksmalloc_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/libksmalloc/valgrind.supp
  ${PROJECT_SOURCE_DIR}/examples/container/seccomp.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/ksmalloc)
file(GLOB ksmalloc_pages ${PROJECT_SOURCE_DIR}/libksmalloc/man/*.[137])
foreach(page IN LISTS ksmalloc_pages)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/docs/shared-layout.md ${PROJECT_SOURCE_DIR}/docs/profiles.md
  ${PROJECT_SOURCE_DIR}/docs/services.md ${PROJECT_SOURCE_DIR}/docs/sharing.md
  ${PROJECT_SOURCE_DIR}/docs/sharing.svg DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET ksmalloc)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/after-install.cmake.in ${CMAKE_BINARY_DIR}/after-install.cmake @ONLY)
  install(SCRIPT ${CMAKE_BINARY_DIR}/after-install.cmake)
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake.in ${CMAKE_BINARY_DIR}/uninstall.cmake @ONLY)
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${CMAKE_BINARY_DIR}/uninstall.cmake VERBATIM)
