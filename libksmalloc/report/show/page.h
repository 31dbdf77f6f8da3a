/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page: a picture as one file of HTML.
 *
 * What it is: markup, style, script and data in one file that loads nothing: bars of the groups, a flame graph, a table.
 * What it draws with are page.html, page.css and page.js beside it.
 * What it is not: drawn here, or a server: who has a picture gets a page.
 * Invariants: what programs call their things is data in a string of JSON (show/quote.h), set as text by the script; the
 * page forbids itself everything but what is written in it. At most KSR_PAGE_ORIGINS origins are told apart.
 * Locking and owner: reads the picture of the scene, nothing else of it.
 * Failure: -ENOMEM; the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_PAGE_H
#define KSR_SHOW_PAGE_H

#include "show/scene.h"

#define KSR_PAGE_ORIGINS 20000

int ksr_page_write(const struct ksr_scene *scene, FILE *output);

#endif
