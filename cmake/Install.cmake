# SPDX-License-Identifier: BSD-2-Clause
# cmake --install: the library, its headers, what pkg-config and find_package need, the
# command and the manual pages. All of it may be installed with --prefix, and moved later: nothing
# that is installed holds the prefix.
include(CMakePackageConfigHelpers)
# With --component ksmalloc the same is installed, and the list of files for `uninstall` is left alone.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME ksmalloc)

# The folders that there are not yet are noted, for `uninstall`; this runs before everything else.
set(ksmalloc_folders ${CMAKE_INSTALL_BINDIR} ${CMAKE_INSTALL_LIBDIR}/ksmalloc ${CMAKE_INSTALL_LIBDIR}/cmake/ksmalloc ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  ${CMAKE_INSTALL_INCLUDEDIR}/ksmalloc ${CMAKE_INSTALL_DATADIR}/ksmalloc ${CMAKE_INSTALL_DOCDIR}
  ${CMAKE_INSTALL_DATADIR}/ksmalloc/prometheus ${CMAKE_INSTALL_MANDIR}/man1 ${CMAKE_INSTALL_MANDIR}/man3 ${CMAKE_INSTALL_MANDIR}/man7
  ${CMAKE_INSTALL_DATADIR}/bash-completion/completions ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
  ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d lib/systemd/system
  lib/systemd/system-generators)
configure_file(${CMAKE_CURRENT_LIST_DIR}/before-install.cmake.in ${CMAKE_BINARY_DIR}/before-install.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/before-install.cmake)

if(TARGET ksmalloc)
  install(TARGETS ksmalloc EXPORT ksmalloc-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  list(TRANSFORM KSMALLOC_HELPERS PREPEND ksmalloc_ OUTPUT_VARIABLE ksmalloc_helpers)
  install(TARGETS ${ksmalloc_helpers}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/ksmalloc)
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
  install(TARGETS ksmalloc_command ksmalloc_exporter ksmalloc_webhook RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${CMAKE_BINARY_DIR}/completion/ksmalloc
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${CMAKE_BINARY_DIR}/completion/_ksmalloc DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${CMAKE_BINARY_DIR}/completion/ksmalloc.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
# Units of systemd's: an absolute path has to stand in them, so that these alone hold the prefix.
if(TARGET ksmalloc_command)
  install(CODE "
    cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX NORMALIZE OUTPUT_VARIABLE ksm_bin)
    cmake_path(APPEND ksm_bin \"${CMAKE_INSTALL_BINDIR}\")
    foreach(ksm_unit packaging/systemd/ksmalloc-ksm.service examples/prometheus/ksmalloc-exporter.service)
      file(READ \"${PROJECT_SOURCE_DIR}/\${ksm_unit}\" ksm_text)
      string(REPLACE \"=/usr/bin/\" \"=\${ksm_bin}/\" ksm_text \"\${ksm_text}\")
      cmake_path(GET ksm_unit FILENAME ksm_unit)
      file(WRITE \"${CMAKE_BINARY_DIR}/units/\${ksm_unit}\" \"\${ksm_text}\")
    endforeach()")
  install(FILES ${CMAKE_BINARY_DIR}/units/ksmalloc-ksm.service ${CMAKE_BINARY_DIR}/units/ksmalloc-exporter.service
    DESTINATION lib/systemd/system)
  # It finds the command by its own place.
  install(PROGRAMS ${PROJECT_SOURCE_DIR}/packaging/systemd/ksmalloc-generator DESTINATION lib/systemd/system-generators)
endif()
file(GLOB ksmalloc_schemas ${PROJECT_SOURCE_DIR}/libksmalloc/report/*.schema.json)
install(FILES ${PROJECT_SOURCE_DIR}/libksmalloc/valgrind.supp ${ksmalloc_schemas}
  ${PROJECT_SOURCE_DIR}/examples/container/seccomp.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/ksmalloc)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples/prometheus DESTINATION ${CMAKE_INSTALL_DATADIR}/ksmalloc
  PATTERN ksmalloc-exporter.service EXCLUDE)
file(GLOB ksmalloc_pages ${PROJECT_SOURCE_DIR}/libksmalloc/man/*.[137])
foreach(page IN LISTS ksmalloc_pages)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
file(GLOB ksmalloc_docs ${PROJECT_SOURCE_DIR}/docs/*.md ${PROJECT_SOURCE_DIR}/docs/*.svg)
install(FILES ${ksmalloc_docs} ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET ksmalloc)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/after-install.cmake.in ${CMAKE_BINARY_DIR}/after-install.cmake @ONLY)
  install(SCRIPT ${CMAKE_BINARY_DIR}/after-install.cmake)
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake.in ${CMAKE_BINARY_DIR}/uninstall.cmake @ONLY)
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${CMAKE_BINARY_DIR}/uninstall.cmake VERBATIM)
