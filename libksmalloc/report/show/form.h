/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * form: the forms that a picture can be written in.
 *
 * What it is: one table of them; who asks for a form does not know who writes it.
 * What it is not: the forms of tables, which the emitter writes.
 * Invariants: every form of KSR_PICTURE_FORMS (show/cell.h) has a row.
 * Locking and owner: reads what it is given.
 * Failure: -errno, also for what was not written.
 */
#ifndef KSR_SHOW_FORM_H
#define KSR_SHOW_FORM_H

#include "show/cell.h"
#include "show/scene.h"

/* Is it a form of pictures? */
bool ksr_form_is_picture(enum ksr_format format);
/* Not to be shown on a terminal. */
bool ksr_form_is_binary(enum ksr_format format);
int ksr_form_write(enum ksr_format format, const struct ksr_scene *scene, FILE *output);

#endif
