/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os: every system call of the library.
 *
 * What it is: thin calls that return 0 or -errno (or a pointer through a
 * result parameter), so that no other file of the library reads errno, and so
 * that our own interposed mmap is never entered from inside.
 * What it is not: policy. Which memory is mapped or advised is decided above.
 *
 * Common preconditions: result parameters are not NULL; addresses and lengths
 * of mappings are multiples of the page size and lengths are not 0.
 * Locking: none; all calls may be made from any thread, and none is a cancellation point.
 * Failure: errno of the caller is never changed.
 */
#ifndef KSM_OS_H
#define KSM_OS_H

#include "base.h"

#include <sys/mman.h>
#include <sys/types.h>

/* The library works in units of 4 KiB; larger system pages are refused at start. */
#define KSM_PAGE_SHIFT	12
#define KSM_PAGE	(UINT64_C(1) << KSM_PAGE_SHIFT)

size_t ksm_os_page_size(void);

/*
 * The three calls as the program makes them, straight to the kernel: the value
 * is the kernel's, MAP_FAILED or -1 with errno set on failure (mmap(2),
 * mremap(2), munmap(2)). For the interposed symbols and for jemalloc.
 */
void *ksm_os_mmap_raw(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int ksm_os_munmap_raw(void *addr, size_t length);
void *ksm_os_mremap_raw(void *old, size_t old_length, size_t new_length, int flags, void *to);
int ksm_os_madvise_raw(void *addr, size_t length, int advice);
int ksm_os_mprotect_raw(void *addr, size_t length, int prot);
int ksm_os_pkey_mprotect_raw(void *addr, size_t length, int prot, int key);

/* Maps private zero pages anywhere. noreserve: do not account for them beforehand. */
int ksm_os_map(void **result, size_t length, bool noreserve);

/* Maps private zero pages exactly at addr; -EEXIST if the kernel does not put them there. */
int ksm_os_map_at(void *addr, size_t length);

/*
 * The same with rights and flags of mmap(2), for a mapping of the program's. The flags that
 * systems before 2018, or other processors, do not have are 0 there.
 */
int ksm_os_map_place(void *addr, size_t length, int prot, int flags);
#define KSM_MAP_FIXED_NOREPLACE 0x100000
#ifdef MAP_32BIT
#define KSM_MAP_32BIT MAP_32BIT
#else
#define KSM_MAP_32BIT 0
#endif

/* Replaces whatever lies at addr by private zero pages; anew: accounted for as ksm_os_map_at() does. */
int ksm_os_map_over(void *addr, size_t length);
int ksm_os_map_anew(void *addr, size_t length);

/* The same, not accounted for, with these rights. */
int ksm_os_map_instead(void *addr, size_t length, int prot);

/* Replaces whatever lies at addr by a mapping of fd with the rights and the flag of sharing. */
int ksm_os_map_file_over(void *addr, size_t length, int prot, int sharing, int fd);

int ksm_os_unmap(void *addr, size_t length);

/* Moves [from, from + length) onto to, replacing what lies there. */
int ksm_os_move_over(void *from, size_t length, void *to);

/*
 * Extends the mapping that ends at end by more bytes in place: mremap of its
 * last page, so that the new pages are the same VMA with the same marks.
 * -ENOMEM if something lies there or the mapping's edges are not as said.
 */
int ksm_os_extend(void *end, size_t more);

int ksm_os_madvise(void *addr, size_t length, int advice);

/* Sets the rights of mapped pages (mprotect(2)). */
int ksm_os_protect(void *addr, size_t length, int prot);

/*
 * Faults the pages in for writing (madvise(2), MADV_POPULATE_WRITE), so that a
 * file system without room shows as an error instead of SIGBUS. 0, or -errno;
 * 0 also where the kernel does not know the call (before 5.14).
 */
int ksm_os_populate(void *addr, size_t length);

/* Names an anonymous mapping (prctl(2), PR_SET_VMA_ANON_NAME); -EINVAL where the kernel cannot. */
int ksm_os_name(void *addr, size_t length, const char *name);

/*
 * Gives a mapping a hint for the merge engine (PR_SET_VMA_KSM_HINT of the patched kernel); a
 * length of 0 asks whether the kernel can. -EINVAL where it cannot.
 */
int ksm_os_hint(void *addr, size_t length, uint64_t hint);

/*
 * Asks for a merge of the range now (PR_KSM_MERGE of the patched kernel); try_only: not if it
 * would have to wait. Returns the number of pages examined, or -errno.
 */
long ksm_os_merge_now(void *addr, size_t length, bool try_only);

/* Fills buffer from the kernel's generator, else from AT_RANDOM and the clock. */
void ksm_os_random(void *buffer, size_t length);

/*
 * True unless reading the word at an address, which is aligned, would be an error. Reads it in the kernel (futex(2), which
 * does not wait), so that no sandbox has to allow more; where the kernel does not tell it is true.
 */
bool ksm_os_can_read(const void *address);

/*
 * Sleeps until *word is not value any more and ksm_os_wake() was called, or for most_us
 * microseconds (0: without an end); may return early (futex(2)). Private to the process.
 */
void ksm_os_wait(const uint32_t *word, uint32_t value, uint64_t most_us);
void ksm_os_wake(const uint32_t *word);

/*
 * Lets others run for some ten microseconds: what a loop does that waits for another thread.
 * Not sched_yield(2), which sandboxes may forbid.
 */
void ksm_os_pause(void);

/* Milliseconds of the monotonic clock (coarse, no system call). */
uint64_t ksm_os_now_ms(void);

/* Microseconds of the monotonic clock. */
uint64_t ksm_os_now_us(void);

/* True if the page at address is in memory (mincore(2)). */
bool ksm_os_is_resident(const void *address);

/*
 * Copies the page at address into buffer without touching it. 0, -EFAULT if it cannot be
 * read, or another -errno where process_vm_readv(2) is not to be had.
 */
int ksm_os_read_page(const void *address, void *buffer);

/*
 * Reads a whole small file into buffer and terminates it with NUL.
 * Returns its length, at most room - 1, or -errno.
 */
ssize_t ksm_os_read_file(const char *path, char *buffer, size_t room);

/* readlink(2) with a terminating NUL; the length or -errno. */
ssize_t ksm_os_read_link(const char *path, char *buffer, size_t room);

/* Maps a file read-only; -errno if it cannot be opened or is empty. */
int ksm_os_map_file(const char *path, const void **result, size_t *length);

/*
 * Creates folder with mode 0700 unless it exists, and opens it.
 * -EPERM if it belongs to somebody else or others may write to it.
 * Returns a descriptor or -errno.
 */
int ksm_os_open_private_folder(const char *path);

/* Lets a group look into a folder of the user's own (mode 0750). Failure changes nothing. */
void ksm_os_share_folder(int folder, gid_t group);

/*
 * Creates name in the folder anew (an old file of that name is unlinked first)
 * with the mode, gives it to the group unless group is (gid_t)-1, and makes it
 * length bytes long. Returns a descriptor or -errno; on failure no file stays.
 */
int ksm_os_create_file(int folder, const char *name, mode_t mode, gid_t group, size_t length);

/* An empty memory file, or -errno (memfd_create(2)). */
int ksm_os_create_memfd(const char *name);

/* Writes all bytes, at offset or, if that is negative, where the file stands. 0 or -errno. */
int ksm_os_write(int file, const void *from, size_t length, off_t offset);

/*
 * Calls visit with the name of each file in the folder, from where its descriptor stands
 * (getdents64(2)); visit may remove the file. 0 or -errno.
 */
int ksm_os_each_name(int folder, void (*visit)(const char *name, void *argument), void *argument);

/* Reads the first bytes of a file in the folder, no link followed. The length or -errno. */
ssize_t ksm_os_read_in(int folder, const char *name, void *buffer, size_t room);

void ksm_os_close(int descriptor);
void ksm_os_unlink(int folder, const char *name);
void ksm_os_unlink_path(const char *path);

/* --- the process (os/process.c) ---------------------------------------------------------- */

/*
 * Reads a file of the user's own whole: at most room bytes of it, and its status(2) of the
 * same open file. Symbolic links are not followed. Returns the length or -errno.
 */
struct stat;
ssize_t ksm_os_read_owned(const char *path, void *buffer, size_t room, struct stat *status);

uid_t ksm_os_user(void);

/* True if the process is this user, or can become it again without any privilege: one of its three numbers is. */
bool ksm_os_may_be_user(uid_t user);
pid_t ksm_os_pid(void);

/* False only if this pid namespace has no such process (kill(2) with signal 0). */
bool ksm_os_process_exists(pid_t pid);

/* Will addresses be random after the next exec? (personality(2), ADDR_NO_RANDOMIZE) */
bool ksm_os_is_randomised(void);
int ksm_os_randomise(bool on);

/* The soft stack limit in bytes, UINT64_MAX for none (getrlimit(2)). */
int ksm_os_stack_limit(uint64_t *bytes);
int ksm_os_set_stack_limit(uint64_t bytes);

/* True if the process may not have as much address space or data as it asks for (RLIMIT_AS, RLIMIT_DATA). */
bool ksm_os_memory_is_limited(void);

/* True if Valgrind runs the program: the process's file is one of Valgrind's then. */
bool ksm_os_is_under_valgrind(void);

/*
 * True if the loader itself was executed, with the program as its argument: the kernel loaded
 * no interpreter then (getauxval(3), AT_BASE). The program's file is not this process's.
 */
bool ksm_os_is_loaders_argument(void);

/*
 * Executes the program of this process once more. It keeps its name in ps(1) where the file
 * can still be told by its path. Returns -errno.
 */
int ksm_os_execute_self(char *const *argv, char *const *environment);

/*
 * Makes all memory of the process mergeable, now, later and in what it executes, or ends that
 * and undoes its merges (prctl(2), PR_SET_MEMORY_MERGE). 0 or -errno.
 */
int ksm_os_merge_process(bool merge);

/* True if that is so (PR_GET_MEMORY_MERGE). */
bool ksm_os_process_merges(void);

/* True if the program runs with more rights than its caller (getauxval(3), AT_SECURE). */
bool ksm_os_is_secure(void);

/* --- mappings (os/maps.c) ------------------------------------------------------------------ */

struct ksm_os_mapping {
	uintptr_t begin;
	uintptr_t end;
	uint64_t offset;
	uint64_t inode;		/* 0 for anonymous memory */
	const char *name;	/* its beginning, or "" */
	int rights;		/* PROT_READ and so on */
	bool is_private;
};

/* False: it has seen enough. */
typedef bool ksm_os_visit_mapping(const struct ksm_os_mapping *mapping, void *argument);

/* Visits each mapping of the process, as /proc/self/maps has them. 0, or -errno if it cannot be read. */
int ksm_os_each_mapping(ksm_os_visit_mapping *visit, void *argument);

/*
 * The same of those that end behind an address, without their names, and of those that are shared, whose names are "" where they are
 * longer than any of interest. Where the kernel can be asked for single mappings (6.11) that takes as long as there are such.
 */
int ksm_os_each_mapping_from(uintptr_t from, ksm_os_visit_mapping *visit, void *argument);
int ksm_os_each_shared_mapping(ksm_os_visit_mapping *visit, void *argument);

/* False once it has turned out that it cannot, or is not to be: a filter of the program's may kill it for ioctl(2). */
bool ksm_os_can_ask_for_mappings(void);
void ksm_os_stop_asking_for_mappings(void);

/* --- memory files (os/store.c) ------------------------------------------------------------ */

struct ksm_os_file {
	uint64_t device;
	uint64_t inode;
	uint64_t bytes;
	uint64_t memory; /* bytes that it takes: less than its length where it has holes */
	uint64_t links;
	uid_t owner;
	mode_t mode; /* without its type */
	bool is_regular;
};

/* fstat(2) and stat(2). 0 or -errno. */
int ksm_os_describe_file(int file, struct ksm_os_file *facts);
int ksm_os_describe_path(const char *path, struct ksm_os_file *facts);

/* Opens a file, whatever it is, without waiting; or one to be written to that may be made. A descriptor or -errno. */
int ksm_os_open_to_read(const char *path);
int ksm_os_open_table(const char *path);

int ksm_os_open_folder(const char *path);

/* pread(2); the length or -errno. */
ssize_t ksm_os_read_at(int file, void *buffer, size_t length, uint64_t offset);

/* lseek(2): where data, or a hole, begins from there on. -ENXIO if there is none. */
int64_t ksm_os_next_data(int file, uint64_t offset);
int64_t ksm_os_next_hole(int file, uint64_t offset);

/* False if a file may not become that long (setrlimit(2)): writing there would end the program with SIGXFSZ. */
bool ksm_os_may_write_to(uint64_t end);

/*
 * Bytes that this process may take besides before the kernel ends somebody for want of memory, or makes this process wait for
 * that (memory.high), roughly: by the limits of its control groups, and what the machine has. Much more if that is not known. One thread at a time; not quick.
 */
uint64_t ksm_os_memory_room(void);

/* A memory file that can be sealed; its length; all seals; whether it has them, and is one on small pages. */
int ksm_os_create_store(const char *name);
int ksm_os_set_length(int file, uint64_t bytes);
int ksm_os_seal(int file);
bool ksm_os_is_sealed(int file);

/* flock(2) without waiting: 0, or -EWOULDBLOCK. Closing the file unlocks it, too. */
int ksm_os_try_lock(int file);
void ksm_os_unlock(int file);

/*
 * The same of a part of a file, which is locked for all that opened it by themselves (fcntl(2), F_OFD_SETLK): 0, -EAGAIN
 * where another one has it, or -errno.
 */
int ksm_os_try_lock_part(int file, uint64_t offset, uint64_t length);
void ksm_os_unlock_part(int file, uint64_t offset, uint64_t length);

/* The process that has this byte of the user's file locked for writing by fcntl(2); 0 if there is none that this one could name. */
pid_t ksm_os_lock_owner(const char *path, uint64_t offset);

/* Gives the open file another number, at least lowest, if there is one: the low ones are the program's. */
int ksm_os_keep_high(int file, int lowest);

/* Maps a part of a file privately, to be read and written, over what lies there. */
int ksm_os_map_store(void *addr, size_t length, int file, uint64_t offset);

/* Maps a part of a file to be written to, exactly at addr; -EEXIST if something lies there. */
int ksm_os_map_window(void *addr, size_t length, int file, uint64_t offset);

/*
 * Puts pages of the process's own into a private mapping of a memory file (os/fill.c): a write would give the file a
 * page, too, where it has a hole. A filler is a descriptor, or -errno. From the beginning to the end nobody may touch
 * what lies between: it would wait for ever. What is filled was not touched before. Should the end fail, the filler has
 * to be closed, which ends it.
 */
int ksm_os_open_filler(void);
int ksm_os_begin_filling(int filler, void *addr, size_t length);
int ksm_os_fill(int filler, void *to, const void *from, size_t length);
int ksm_os_end_filling(int filler, void *addr, size_t length);

/* From now on no filler is opened, as when it has turned out that the kernel has none: a filter may kill the process for asking. */
void ksm_os_stop_filling(void);

/* False if there is a page in the range that nothing is mapped at. */
bool ksm_os_is_mapped(const void *addr, size_t length);

/* Lets that process, and its children, trace this one, where Yama would forbid it. */
int ksm_os_let_trace(pid_t pid);

/* True if another thread or process runs in this address space, as far as the kernel tells. */
bool ksm_os_has_partner(void);

/* Blocks all signals of the thread; puts back what was before. */
void ksm_os_block_signals(uint64_t *before);
void ksm_os_restore_signals(uint64_t before);

/*
 * True if one of those that were let through before has come, and has a handler after which a call that waits ends
 * (no SA_RESTART). While all are blocked.
 */
bool ksm_os_is_interrupted(uint64_t before);

#endif
