/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_line: from the offset of an instruction to its line, by the tables that CPython's compilers make.
 *
 * What it is: three forms, of 3.9, of 3.10, and of 3.11 and later. Pure; no byte outside of the table is read.
 * Failure: 0 for what has no line.
 */
#ifndef KSM_PYTHON_LINE_H
#define KSM_PYTHON_LINE_H

#include "base.h"

/* offset is one of bytes in the code; first is the line that the function begins at. */
uint32_t ksm_python_line_39(const uint8_t *table, size_t length, uint32_t first, uint32_t offset);
uint32_t ksm_python_line_310(const uint8_t *table, size_t length, uint32_t first, uint32_t offset);
uint32_t ksm_python_line_311(const uint8_t *table, size_t length, uint32_t first, uint32_t offset);

#endif
