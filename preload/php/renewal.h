/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * renewal: what a PHP script makes begins with new memory, whatever PHP had made of the environment and of arguments.
 *
 * What it is: the command line's PHP copies them before it reads the script, into strings and arrays that lie before
 * all that the script makes: one of them more, or one of another size, shifts all of that. So when PHP compiles its
 * first file, and whenever it has copied the environment since, what is left of PHP's memory is taken: its lists of
 * free blocks, of each size, and the free pages of its chunk. The script's blocks begin at a new chunk then, which lies
 * where it does in any other worker.
 * How: by PHP's own functions, and pointers that PHP exports for extensions to put theirs there. What was taken is
 * never touched, so that it is 2 MiB of addresses and no memory; it comes back at the end of the request.
 * What it is not: for servers (php-fpm, php -S), whose requests differ anyway and begin anew each time, or for code
 * that is given on the command line (php -r), which is no file.
 * When not: where PHP has more than one chunk by then, or a limit of memory that it would be a good part of.
 * Failure: none; the script's blocks come behind what there is.
 */
#ifndef KSZ_RENEWAL_H
#define KSZ_RENEWAL_H

struct ksz_zend;

/* Before main(); the functions are used as long as the process runs. */
void ksz_renewal_start(const struct ksz_zend *zend) __attribute__((visibility("hidden")));

#endif
