/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader: the form of what knows one interpreter.
 *
 * What it is: how an interpreter is found among the loaded objects, and how the list of frames is read that the current
 * thread is executing. Header only; language has the readers.
 *
 * A reader runs in the middle of malloc and mmap, in any thread, and after a fork; in signal handlers only where the call stack
 * does not show that it is one (language). It allocates nothing,
 * takes no lock, calls the kernel for nothing but to learn whether there is memory where a pointer leads (readable), and calls no function of the interpreter that may do so, raise
 * an error or run the program's code. What it reads it has checked to be what it takes it for, as far as that can be told from
 * what it is a part of; in doubt the list ends.
 */
#ifndef KSM_READER_H
#define KSM_READER_H

#include "base.h"
#include "system/dynsym.h"
#include "site/script.h"
#include "site/unwind.h"

/* Room for what a reader keeps of an interpreter. */
#define KSM_READER_BYTES 256u

/*
 * The loader's function that gives the address of a thread-local variable of this thread; NULL where it is not known. We have no
 * such variables ourselves, and no symbol for it.
 */
struct ksm_tls_index {
	unsigned long module;
	unsigned long offset;
};
extern void *(*ksm_reader_tls_address)(struct ksm_tls_index *index) __attribute__((visibility("hidden")));

struct ksm_reader {
	enum ksmalloc_language language;
	bool only_first_thread; /* others have no frames */
	/*
	 * Is the interpreter in this object? 0, -ENOENT, or -EOPNOTSUPP if it is, and is of a version that is not known.
	 * Fills the state, which does not change afterwards. Inside of the loader's lock.
	 */
	int (*find)(const struct ksm_dynsym *object, void *state);
	/* Appends what this thread is executing; its call stack is the one given. */
	void (*walk)(const void *state, const struct ksm_stack *stack, struct ksm_script *script);
	/* The line of a frame that has none yet; 0 if it is not known. NULL where frames have theirs. */
	uint32_t (*line)(const void *state, const struct ksm_script_frame *frame);
};

/* The address of what an object exports under a name, NULL if it does not. */
KSM_INLINE void *ksm_reader_symbol(const struct ksm_dynsym *object, const char *name)
{
	const ElfW(Sym) *symbol = ksm_dynsym_next(object, name, NULL);

	return symbol ? (void *)(object->bias + symbol->st_value) : NULL;
}

/* The program, which is the first of the loaded objects. Filled while they are looked through. */
extern struct ksm_dynsym ksm_reader_program __attribute__((visibility("hidden")));

/*
 * The same of a variable: where the program uses it, too, the linker may have put it there, and the object uses that
 * one.
 */
KSM_INLINE void *ksm_reader_variable(const struct ksm_dynsym *object, const char *name)
{
	const ElfW(Sym) *symbol = ksm_dynsym_next(object, name, NULL);
	const ElfW(Sym) *copy = symbol && ksm_reader_program.hash ? ksm_dynsym_next(&ksm_reader_program, name, NULL) : NULL;

	if (copy && copy->st_size == symbol->st_size && (copy->st_info & 15) == STT_OBJECT)
		return (void *)(ksm_reader_program.bias + copy->st_value);
	return symbol ? (void *)(object->bias + symbol->st_value) : NULL;
}

#endif
