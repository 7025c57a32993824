# SPDX-License-Identifier: BSD-2-Clause

# virtiofs_test(NAME sources... [LABELS l...] [TIMEOUT s] [LIBS lib...])
# A cmocka program, linked to the static library: a unit test sees what the shared
# one hides. A timeout only guards against a hang.
function(virtiofs_test name)
	cmake_parse_arguments(arg "" "TIMEOUT" "LABELS;LIBS" ${ARGN})
	if(NOT arg_TIMEOUT)
		set(arg_TIMEOUT 120)
	endif()
	add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
	virtiofs_target(${name})
	target_include_directories(${name} PRIVATE
		${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/tests)
	target_link_libraries(${name} PRIVATE
		${arg_LIBS} virtiofs::static PkgConfig::CMOCKA Threads::Threads)
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES
		TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
