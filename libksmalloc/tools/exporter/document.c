/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/document.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int ksr_document_create(void)
{
	int fd = memfd_create("ksmalloc-exporter", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

FILE *ksr_document_stream(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *stream = copy < 0 ? NULL : fdopen(copy, "w");

	if (!stream && copy >= 0)
		close(copy);
	return stream;
}

int ksr_document_read(int fd, struct ksr_text *text)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return ksr_fs_read_fd(fd, KSR_FS_TEXT_LIMIT, text);
}

/* The message is the number of the document; with it goes the descriptor. */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int ksr_document_send(int socket, enum ksr_document which, int fd)
{
	unsigned char number = (unsigned char)which;
	struct iovec part = {&number, sizeof(number)};
	union control control = {.bytes = {0}};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int ksr_document_receive(int socket, enum ksr_document *which, int *fd, uint64_t *bytes)
{
	unsigned char number = KSR_DOCUMENT_COUNT;
	struct iovec part = {&number, sizeof(number)};
	union control control;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	struct stat status;

	if (got <= 0)
		return got == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EINVAL;
	memcpy(fd, CMSG_DATA(head), sizeof(*fd));
	if (number >= KSR_DOCUMENT_COUNT || fstat(*fd, &status) || status.st_size < 0) {
		close(*fd);
		return -EINVAL;
	}
	*which = (enum ksr_document)number;
	*bytes = (uint64_t)status.st_size;
	return 0;
}
