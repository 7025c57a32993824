# SPDX-License-Identifier: BSD-2-Clause
# What every target of the project is compiled with; nothing is set globally.

set(VIRTIOFS_WARNINGS
	-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion
	-Wsign-conversion -Wvla -Wundef -Wpointer-arith -Wwrite-strings -Wcast-qual
	-Wimplicit-fallthrough)

# Compile @target as this project does. Language and warnings are private to it.
function(virtiofs_target target)
	set_target_properties(${target} PROPERTIES
		C_STANDARD 11
		C_STANDARD_REQUIRED ON
		C_EXTENSIONS ON
		C_VISIBILITY_PRESET hidden)
	target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
	target_compile_options(${target} PRIVATE ${VIRTIOFS_WARNINGS})
	if(VIRTIOFS_WERROR)
		target_compile_options(${target} PRIVATE -Werror)
	endif()
	if(VIRTIOFS_SANITIZE)
		target_compile_options(${target} PRIVATE
			-fsanitize=${VIRTIOFS_SANITIZE} -fno-omit-frame-pointer
			-fno-sanitize-recover=all)
		target_link_options(${target} PRIVATE -fsanitize=${VIRTIOFS_SANITIZE})
	endif()
endfunction()
