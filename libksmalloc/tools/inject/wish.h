/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wish: what is to be put into the definition of a container, whatever form the definition has.
 *
 * What it is: names, images and numbers that kube, compose and line have in common.
 * What it is not: a parser of options.
 * Invariants: of texts nothing but the group and the profile comes into an environment, and both consist of letters, digits, dots,
 * dashes and underscores only (ksr_inject_wish_problem()).
 * Locking and owner: the caller owns all texts; they are copied where they are kept.
 * Failure: see each function.
 */
#ifndef KSR_INJECT_WISH_H
#define KSR_INJECT_WISH_H

#include "base.h"

/* Room for one sentence that says why something was refused. */
#define KSR_INJECT_WHY 512

/* Where containers have the library: the volume that the init image fills. */
#define KSR_INJECT_FOLDER "/ksmalloc"
/* Where the init image has the volume that it fills; its own files lie where the image's root is, so that it can be mounted itself. */
#define KSR_INJECT_FILLED "/volume"
#define KSR_INJECT_VOLUME "ksmalloc"
#define KSR_INJECT_INIT	  "ksmalloc-init"
#define KSR_INJECT_SIDECAR "ksmalloc-sidecar"
/* The library that starts the program anew by `ksmalloc run`, and the options that it gives to that. */
#define KSR_INJECT_START   "libksmalloc-start.so"
#define KSR_INJECT_PRELOAD KSR_INJECT_FOLDER "/" KSR_INJECT_START
#define KSR_INJECT_OPTIONS "KSMALLOC_START"
#define KSR_INJECT_PORT	   9838
/* The secret of a cluster whose token the sidecar's exporter asks for, where the sidecar has it, and the key of it. */
#define KSR_INJECT_TOKEN_VOLUME "ksmalloc-token"
#define KSR_INJECT_TOKEN_FOLDER "/token"
#define KSR_INJECT_TOKEN_KEY	"token"

/* How the library comes into a container. */
enum ksr_inject_way {
	KSR_INJECT_BY_VOLUME, /* a container of the init image copies it into a volume first: any engine can */
	KSR_INJECT_BY_IMAGE,  /* the init image is mounted: nothing is copied, and no container has to run first */
	KSR_INJECT_BY_FOLDER, /* a folder of the host that somebody has filled is mounted */
	KSR_INJECT_BY_PREPARED, /* a volume that one command has made ready before any of this: nothing has to run first */
};
#define KSR_INJECT_WAYS "volume (copied into one), prepared (one that is there), image (mounted itself) or /FOLDER of the host"
/* How long the name of a volume may be, with its end, and without the hash behind it: 253 is what a claim may have. */
#define KSR_INJECT_VOLUME_NAME	  254
#define KSR_INJECT_VOLUME_LETTERS (253 - 9)

/* Zero is a wish with defaults: share, with a sidecar, in all containers, by a volume. */
struct ksr_inject_wish {
	const char *group;	   /* NULL: named like the workload */
	const char *profile;	   /* the interpreter; NULL: auto */
	const char *init_image;	   /* NULL: ksmalloc-init of this release */
	const char *sidecar_image; /* NULL: ksmalloc-sidecar of this release */
	const char *from;	   /* NULL: volume; or prepared, image, or the path of a folder */
	const char *const *containers; /* names of those that are meant, container_count of them; NULL: all */
	size_t container_count;
	bool others_stay; /* what has none of these containers stays as it is; else that is a mistake */
	const char *seccomp; /* a profile on the node that lets addresses be equal (localhostProfile); NULL: none is named */
	const char *token_secret; /* kube: the name of a secret with the token of who asks the sidecar; NULL: everybody may ask */
	uint64_t user;	     /* 0: that of the containers; else the sidecar's user */
	bool no_sidecar;
	bool no_share; /* for KSM: nothing but the library and the group's name */
};

/* NULL, or what is wrong with the wish's own texts, for a sentence. */
const char *ksr_inject_wish_problem(const struct ksr_inject_wish *wish);
/* The value of KSMALLOC_START for a group; NULL without memory. The caller frees it. */
char *ksr_inject_wish_options(const struct ksr_inject_wish *wish, const char *group);
enum ksr_inject_way ksr_inject_wish_way(const struct ksr_inject_wish *wish);
const char *ksr_inject_wish_init_image(const struct ksr_inject_wish *wish);
const char *ksr_inject_wish_sidecar_image(const struct ksr_inject_wish *wish);
/*
 * What an engine's volume with the library is called on a host: each release, and each image of one's own, has one of its own. It is a
 * DNS name, and that of an image of another name than ours has 8 digits of its hash at its end.
 */
void ksr_inject_wish_volume(const struct ksr_inject_wish *wish, char name[KSR_INJECT_VOLUME_NAME]);
/* Whether the container of this name is meant. */
bool ksr_inject_wish_means(const struct ksr_inject_wish *wish, const char *container);
/* Whether the text begins with the folder where containers have the library, and ends there or at one of these letters. */
bool ksr_inject_is_folder(const char *text, const char *ends);
/* Whether the text, SOURCE:FOLDER, SOURCE:FOLDER:OPTIONS, or a folder alone, also with one of these letters behind it, mounts something there. */
bool ksr_inject_mounts_folder(const char *text, const char *ends);
/* A group's name made of another name: what cannot stand in one becomes a dash. */
void ksr_inject_name_group(const char *name, char group[64]);
/*
 * What LD_PRELOAD is to be where it was old (NULL or empty: not set), and was before; each is a new text, NULL without memory. The
 * latter is empty if there was nothing else, and old itself if ours is not in front of it.
 */
char *ksr_inject_preload_add(const char *old);
char *ksr_inject_preload_remove(const char *now);

#endif
