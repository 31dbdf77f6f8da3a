# SPDX-License-Identifier: BSD-2-Clause
# cmake -D OUTPUT=HEADER -D INPUTS=FILE;... -P embed.cmake
#
# Makes a header with an array of the bytes of each file, named by it: page.css is page_css.
set(text "/* Made by embed.cmake. */\n")
foreach(input IN LISTS INPUTS)
  get_filename_component(name ${input} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  file(READ ${input} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND text "static const unsigned char ${name}[] = {${bytes}};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
