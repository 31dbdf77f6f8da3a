// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of a guest that kernel/run-uml or kernel/run-qemu boots: shows the host's
 * files to one command, runs it, hands its output and exit status out, and ends the guest.
 *
 * The guest's root is an overlay: the host's files below, memory above. The guest may write
 * anywhere, and what it writes is gone with it, except below the folders that are named in the
 * file `rw`: there it writes the host's files, with the rights of the user who started it.
 *
 * What to do lies in a folder that host and guest share (ksm_work= on the kernel's command line):
 *
 *   command      the words of the command, each ended by a zero byte
 *   environment  its environment, in the same form
 *   cwd          the folder it is started in
 *   rw           the folders to pass through, each ended by a zero byte
 *   status       written by the guest: the exit status as a number. No file, no answer.
 *
 * The output leaves by two lines of its own, not through the console, so that messages of the
 * kernel never stand in it: terminals 1 and 2 of User Mode Linux, virtio ports of QEMU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Where the parts of the guest's root are put together, in the tmpfs. */
struct place {
	const char *lower;	/* the host's files */
	const char *memory;	/* an empty folder for the tmpfs */
	char root[4096];
};

static bool is_qemu;
static int work_fd = -1;

static void print(const char *format, ...)
{
	char line[512];
	va_list args;
	int fd;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	dprintf(fd >= 0 ? fd : STDERR_FILENO, "guest: %s\n", line);
	if (fd >= 0)
		close(fd);
}

/* Ends the guest. Nothing of it is worth more than the answer that was given before. */
static void end(void)
{
	sync();
	/* QEMU is told not to reboot; its guest may have no way to switch off. */
	reboot(is_qemu ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

static void die(const char *what, const char *name)
{
	print("cannot %s %s: %s", what, name, strerror(errno));
	end();
}

static void make_folder(const char *path)
{
	char copy[4096], *slash;

	snprintf(copy, sizeof(copy), "%s", path);
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0755);
		*slash = '/';
	}
	if (mkdir(copy, 0755) && errno != EEXIST)
		die("make the folder", path);
}

/* mount_in() fails the guest, try_mount_in() leaves out what this kernel does not have. */
static int try_mount_in(const struct place *place, const char *type, const char *where,
			const char *options)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s%s", place->root, where);
	mkdir(path, 0755);
	return mount(type, path, type, 0, options);
}

static void mount_in(const struct place *place, const char *type, const char *where,
		     const char *options)
{
	if (try_mount_in(place, type, where, options))
		die("mount", where);
}

/* Shows the host's folder @path at @at; under QEMU it is the 9p share with the name @tag. */
static void mount_host(const char *path, const char *tag, const char *at, unsigned long flags)
{
	int failed;

	if (is_qemu)
		failed = mount(tag, at, "9p", flags, flags & MS_RDONLY ?
			       "trans=virtio,version=9p2000.L,msize=262144,cache=loose" :
			       "trans=virtio,version=9p2000.L,msize=262144,cache=none");
	else
		failed = mount("none", at, "hostfs", flags, path);
	if (failed)
		die("show the host's", path);
}

static void build_root(struct place *place)
{
	char options[8192], path[4200];

	if (mount("tmpfs", place->memory, "tmpfs", 0, "mode=0755"))
		die("mount memory at", place->memory);
	snprintf(path, sizeof(path), "%s/upper", place->memory);
	make_folder(path);
	snprintf(path, sizeof(path), "%s/work", place->memory);
	make_folder(path);
	snprintf(place->root, sizeof(place->root), "%s/root", place->memory);
	make_folder(place->root);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
		 place->lower, place->memory, place->memory);
	if (mount("overlay", place->root, "overlay", 0, options))
		die("mount overlay", options);
	mount_in(place, "proc", "/proc", NULL);
	mount_in(place, "sysfs", "/sys", NULL);
	mount_in(place, "devtmpfs", "/dev", NULL);
	mount_in(place, "tmpfs", "/dev/shm", "mode=1777");
	mount_in(place, "tmpfs", "/run", "mode=0755");
	try_mount_in(place, "devpts", "/dev/pts", "ptmxmode=0666,mode=0620");
	try_mount_in(place, "debugfs", "/sys/kernel/debug", NULL);
	try_mount_in(place, "tracefs", "/sys/kernel/tracing", NULL);
	try_mount_in(place, "cgroup2", "/sys/fs/cgroup", NULL);
	snprintf(path, sizeof(path), "%s/run/lock", place->root);
	mkdir(path, 01777);
	chmod(path, 01777);
}

/* Reads a file of the work folder; words get an end of list. NULL without such a file. */
static char *read_file(const char *name, size_t *length)
{
	int fd = openat(work_fd, name, O_RDONLY | O_CLOEXEC);
	size_t size = 65536, have = 0;
	char *bytes;
	ssize_t got;

	if (fd < 0)
		return NULL;
	bytes = malloc(size + 1);
	while (bytes && (got = read(fd, bytes + have, size - have)) > 0) {
		have += got;
		if (have == size)
			bytes = realloc(bytes, (size *= 2) + 1);
	}
	close(fd);
	if (!bytes)
		die("read", name);
	bytes[have] = 0;
	*length = have;
	return bytes;
}

static char **read_words(const char *name)
{
	size_t length = 0, count = 0, i;
	char *bytes = read_file(name, &length), *at;
	char **words;

	for (i = 0; i < length; i++)
		count += !bytes[i];
	words = calloc(count + 1, sizeof(*words));
	if (!words)
		die("read", name);
	for (i = 0, at = bytes; i < count; i++, at += strlen(at) + 1)
		words[i] = at;
	return words;
}

static void pass_folders(const struct place *place)
{
	char **folders = read_words("rw"), path[8192], tag[32];
	int i;

	for (i = 0; folders[i]; i++) {
		snprintf(path, sizeof(path), "%s%s", place->root, folders[i]);
		snprintf(tag, sizeof(tag), "rw%d", i);
		make_folder(path);
		mount_host(folders[i], tag, path, 0);
	}
}

static void enter_root(const struct place *place)
{
	if (chdir(place->root) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("enter", place->root);
}

static void set_up_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* The virtio port with this name. */
static int open_port(const char *wanted)
{
	char path[64], name[64];
	ssize_t got;
	int i, fd;

	for (i = 1; i < 16; i++) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport0p%d/name", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		got = fd >= 0 ? read(fd, name, sizeof(name) - 1) : -1;
		if (fd >= 0)
			close(fd);
		if (got <= 0)
			continue;
		name[got] = 0;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, wanted))
			continue;
		snprintf(path, sizeof(path), "/dev/vport0p%d", i);
		return open(path, O_WRONLY | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

static int open_line(const char *terminal, const char *port)
{
	struct termios raw;
	int fd = is_qemu ? open_port(port) : open(terminal, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		die("open the line for", port);
	if (!is_qemu && !tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	return fd;
}

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t done = write(fd, bytes, length);

		if (done < 0 && errno == EAGAIN) {
			usleep(1000);
			continue;
		}
		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			bytes += done;
			length -= done;
		}
	}
}

/* Copies what is there. False at the end of the input. */
static bool copy(int from, int to)
{
	static char bytes[65536];
	ssize_t got = read(from, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	write_all(to, bytes, got);
	return got > 0;
}

static void run_command(const int *out, bool interactive)
{
	char **words = read_words("command"), **environment = read_words("environment");
	struct rlimit no_core = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY };
	size_t length;
	char *cwd = read_file("cwd", &length);
	int terminal, null;

	setsid();
	if (interactive) {
		terminal = open("/dev/tty0", O_RDWR);
		ioctl(terminal, TIOCSCTTY, 0);
		dup2(terminal, 0);
		dup2(terminal, 1);
		dup2(terminal, 2);
	} else {
		null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(out[0], 1);
		dup2(out[1], 2);
	}
	setrlimit(RLIMIT_CORE, &no_core);
	if (cwd && chdir(cwd)) {
		dprintf(2, "guest: cannot enter %s: %s\n", cwd, strerror(errno));
		_exit(126);
	}
	/* execvpe() looks in the PATH of its own environment. */
	environ = environment;
	execvp(words[0], words);
	dprintf(2, "guest: cannot run %s: %s\n", words[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/*
 * Waits for @pid and passes output on meanwhile. Programs that it leaves behind may keep the
 * pipes open for ever, so that its end counts and not theirs.
 */
static int wait_and_copy(pid_t pid, struct pollfd *pipes, const int *lines)
{
	int status = 0, i, got;
	bool ended = false;

	for (;;) {
		pid_t dead = waitpid(-1, &got, WNOHANG);

		if (dead == pid) {
			status = got;
			ended = true;
		}
		if (dead > 0)
			continue;
		got = poll(pipes, 2, ended ? 0 : 20);
		if (got <= 0 && ended)
			return status;
		for (i = 0; i < 2 && got > 0; i++)
			if (pipes[i].revents && !copy(pipes[i].fd, lines[i]))
				pipes[i].fd = -1;
	}
}

static int run(bool interactive)
{
	int lines[2] = { -1, -1 }, out[2], pair[2], i, status;
	struct pollfd pipes[2];
	pid_t pid;

	for (i = 0; i < 2; i++) {
		if (!interactive)
			lines[i] = open_line(i ? "/dev/tty2" : "/dev/tty1", i ? "stderr" : "stdout");
		if (pipe2(pair, O_CLOEXEC))
			die("make", "a pipe");
		pipes[i] = (struct pollfd){ .fd = pair[0], .events = POLLIN };
		out[i] = pair[1];
	}
	pid = fork();
	if (!pid)
		run_command(out, interactive);
	if (pid < 0)
		die("start", "the command");
	close(out[0]);
	close(out[1]);
	status = wait_and_copy(pid, pipes, lines);
	for (i = 0; i < 2; i++)
		if (lines[i] >= 0 && !is_qemu)
			tcdrain(lines[i]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void answer(int status)
{
	int fd = openat(work_fd, "status", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || dprintf(fd, "%d\n", status) < 0 || fsync(fd))
		print("cannot hand out the status %d: %s", status, strerror(errno));
	close(fd);
}

int main(void)
{
	const char *work = getenv("ksm_work"), *interactive = getenv("ksm_terminal");
	struct place place = { .lower = "/" };
	char memory[4096], shared[8192];
	int status;

	if (!work) {
		print("no ksm_work= on the command line, nothing to do");
		end();
	}
	is_qemu = getenv("ksm_qemu") != NULL;
	if (is_qemu) {
		place.lower = "/host";
		make_folder(place.lower);
		make_folder("/memory");
		mount_host("/", "host", place.lower, MS_RDONLY);
	}
	snprintf(memory, sizeof(memory), is_qemu ? "/memory" : "%s/memory", work);
	place.memory = memory;
	build_root(&place);
	snprintf(shared, sizeof(shared), "%s/run/ksmalloc-guest", place.root);
	make_folder(shared);
	mount_host(work, "work", shared, 0);
	work_fd = open(shared, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work_fd < 0)
		die("open", work);
	pass_folders(&place);
	enter_root(&place);
	set_up_network();
	sethostname("guest", 5);
	status = run(interactive != NULL);
	answer(status);
	end();
}
