/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boundaries: moments at which equal processes go on at equal places in ruby's pages of objects.
 *
 * What it is: ruby puts one object behind the other into what is free in its pages. One object more in one of two equal
 * processes, and all that come later lie a slot further on. So now and then what is free in the page in use is filled
 * with empty objects, and the next object begins another page. That heals if both processes do it at the same object,
 * which no count of objects or pages tells: those differ by what was one more. What an object holds tells it, as a backup
 * program finds the parts of a file that moved in it. When enough pages have been begun since the last boundary, new
 * objects are looked at for a short while, until there is one whose content has a hash of a certain kind.
 * What is filled in is garbage, and free after the next collection. New pages have places that follow from the last
 * boundary; what else is in step then: pages.h.
 *
 * How it knows of pages that are begun: ruby maps a new one, or reads the processor's clock when it sweeps some more.
 * Nothing is done for single objects but while one is looked for.
 *
 * What it is not: for rubies other than 3.1, whose objects were looked at; for programs whose objects have no content
 * that tells one from the next; for those that are traced, have or had ractors, or have switched the collector off.
 *
 * Locking: what may happen in any function of ruby's only counts, and asks ruby to call later; the rest holds ruby's
 * lock. Failure: none; objects go where they always go.
 */
#ifndef KRB_BOUNDARIES_H
#define KRB_BOUNDARIES_H

/* To be called once, with ruby's lock, when ruby runs. */
void krb_boundaries_start(void);

/* To be called in the child of a fork, whose master passed other boundaries than that of another child. */
void krb_boundaries_begin_child(void);

#endif
