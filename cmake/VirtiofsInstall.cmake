# SPDX-License-Identifier: BSD-2-Clause
# Headers, both libraries, the pkg-config file and the CMake package config. The
# daemon installs itself.
include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/virtiofs
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/virtiofs/version.h
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/virtiofs)

# Two exports: a consumer of the shared library needs nothing else, one of the
# static library needs what it is made of.
install(TARGETS virtiofs EXPORT virtiofs-shared
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS virtiofs_static EXPORT virtiofs-static
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(VIRTIOFS_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/virtiofs)
foreach(kind shared static)
	install(EXPORT virtiofs-${kind}
		NAMESPACE virtiofs::
		FILE virtiofs-${kind}.cmake
		DESTINATION ${VIRTIOFS_CMAKEDIR})
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/virtiofs-config.cmake.in
	${PROJECT_BINARY_DIR}/virtiofs-config.cmake
	INSTALL_DESTINATION ${VIRTIOFS_CMAKEDIR}
	NO_SET_AND_CHECK_MACRO)
# 0.x promises nothing to 0.y.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/virtiofs-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES
	${PROJECT_BINARY_DIR}/virtiofs-config.cmake
	${PROJECT_BINARY_DIR}/virtiofs-config-version.cmake
	DESTINATION ${VIRTIOFS_CMAKEDIR})

# Relative to the file itself, so that "cmake --install --prefix" and DESTDIR hold.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
	set(VIRTIOFS_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
	set(VIRTIOFS_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
	set(VIRTIOFS_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
	file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
	string(REGEX REPLACE "/$" "" up "${up}")
	set(VIRTIOFS_PC_PREFIX "\${pcfiledir}/${up}")
	set(VIRTIOFS_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
	set(VIRTIOFS_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
if(VIRTIOFS_HAVE_URING)
	set(VIRTIOFS_PC_REQUIRES_PRIVATE liburing)
else()
	set(VIRTIOFS_PC_REQUIRES_PRIVATE)
endif()
configure_file(${PROJECT_SOURCE_DIR}/virtiofs.pc.in ${PROJECT_BINARY_DIR}/virtiofs.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/virtiofs.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
