/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/member.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "keeper/call.h"
#include "keeper/hand.h"
#include "keeper/midst.h"
#include "keeper/partner.h"
#include "keeper/rest.h"
#include "read/clock.h"
#include "read/snapshot.h"

#define STOP_LIMIT_NS (30 * KSR_CLOCK_MS)
/* A slice takes some milliseconds where nobody else wants the processor. */
#define CALL_LIMIT_NS (500 * KSR_CLOCK_MS)

/* A header that is so long has the member, too. */
#define END_OF(field) \
	(offsetof(struct ksmalloc_segment_header, field) + sizeof(((struct ksmalloc_segment_header *)NULL)->field))

/* Members of the header that are older than this one have been there in all versions that are accepted. */
#define HEADER_BYTES END_OF(keeper)

uint64_t ksr_group_store(const struct ksmalloc_seed *seed)
{
	return seed->words[KSMALLOC_SEED_SPAN] ^ seed->words[KSMALLOC_SEED_SLOTS];
}

static bool has_store(const struct ksr_kept_group *group, uint64_t store)
{
	bool found = false;

	for (size_t i = 0; i < KSR_MEMBER_STORES; i++)
		found = found || (store && group->stores[i] == store);
	return found;
}

/* Where the segment lies, 0: nowhere; or -errno. */
static int find_segment(const struct ksr_fs *fs, pid_t pid, uint64_t *address)
{
	struct ksr_map_line map;
	struct ksr_text maps;
	int error = ksr_fs_read(fs, &maps, "proc/%d/maps", (int)pid);

	if (error)
		return error;
	*address = ksr_snapshot_is_mapped(&maps, &map) ? map.begin : 0;
	ksr_text_free(&maps);
	return 0;
}

/* Of a process whose segment may not be read. */
static bool names_group(const struct ksr_fs *fs, pid_t pid, const char *group)
{
	struct ksr_text environment;
	const char *name;
	bool same;

	if (ksr_fs_read(fs, &environment, "proc/%d/environ", (int)pid))
		return false;
	name = ksr_text_variable(&environment, "KSMALLOC_GROUP");
	same = name && strcmp(name, group) == 0;
	ksr_text_free(&environment);
	return same;
}

static void take_note(struct ksr_member *member, const struct ksmalloc_segment_header *header)
{
	const struct ksmalloc_share_stats *stats = &header->share.stats;
	const uint64_t page_bytes = header->page_bytes ? header->page_bytes : 4096;

	member->offer = header->keeper;
	member->gained_pages = stats->gained_bytes_total / page_bytes;
	member->changed_pages =
		(stats->gained_bytes_total + stats->published_bytes_total + stats->given_back_bytes_total) / page_bytes;
	member->passes = header->share.stats.passes_total;
	member->answered = header->share.answered;
}

static int read_header(const struct ksr_member *member, struct ksmalloc_segment_header *header)
{
	return ksr_image_read(&member->image, member->segment, header, HEADER_BYTES);
}

static int check_segment(struct ksr_member *member, const struct ksr_kept_group *group)
{
	struct ksmalloc_segment_header header;
	int error = read_header(member, &header);

	if (error)
		return error;
	if (memcmp(header.magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header.magic)) != 0 ||
	    header.version > KSMALLOC_SEGMENT_VERSION || header.header_bytes < HEADER_BYTES ||
	    strncmp(header.group, group->name, sizeof(header.group)) != 0)
		return -ENOENT;
	take_note(member, &header);
	if (header.header_bytes >= END_OF(keeper_entry_rest))
		error = ksr_image_read(&member->image, member->segment + offsetof(struct ksmalloc_segment_header, keeper_entry_rest),
				       &member->entry_rest, sizeof(member->entry_rest));
	if (error)
		return error;
	return has_store(group, member->offer.store) ? 0 : -ENOENT;
}

int ksr_member_open(struct ksr_member *member, const struct ksr_fs *fs, pid_t pid, const struct ksr_kept_group *group)
{
	int error;

	*member = (struct ksr_member){.pid = pid};
	error = find_segment(fs, pid, &member->segment);
	if (error || !member->segment)
		return error ? error : -ENOENT;
	error = ksr_image_open(&member->image, pid, 0);
	if (error)
		return error == -EPERM && !names_group(fs, pid, group->name) ? -ENOENT : error;
	error = check_segment(member, group);
	if (error)
		ksr_member_close(member);
	return error;
}

void ksr_member_close(struct ksr_member *member)
{
	ksr_image_close(&member->image);
}

int ksr_member_look(struct ksr_member *member, struct ksr_look *look)
{
	struct ksmalloc_segment_header header;
	int error = ksr_image_usage(&member->image, &look->usage);

	look->now_ns = ksr_clock_ns();
	if (!error)
		error = read_header(member, &header);
	if (!error)
		take_note(member, &header);
	return error;
}

/* --- steps ---------------------------------------------------------------------------------- */

/* What keeper and hand have in common. */
struct work {
	const struct ksr_member *member;
	struct ksr_partner partner;
	unsigned int budget_us;
	uint64_t began_ns;
	uint64_t ended_ns;
	int64_t result;
	bool stopped; /* by a signal */
};

static struct ksr_room room_of(const struct ksr_member *member)
{
	const struct ksmalloc_segment_keeper *offer = &member->offer;

	return (struct ksr_room){
		.address = offer->room_address, .bytes = offer->room_bytes,
		.begin = offer->entry_begin, .failed = offer->entry_failed,
		.end = offer->entry_end, .park = offer->entry_park,
		.rest = member->entry_rest,
		.filters = offer->filters,
	};
}

static int call(struct ksr_stop *stop, const struct ksr_room *room, struct work *work)
{
	const struct ksr_request request = {
		.function = work->member->offer.share,
		.arguments = {work->budget_us},
		.limit_ns = CALL_LIMIT_NS,
	};
	int error = ksr_partner_check(&work->partner, stop);

	work->stopped = ksr_stop_in_group_stop(stop);
	return error ? error : ksr_call(stop, room, &request, &work->result);
}

static int work_in_hand(void *data)
{
	struct work *work = data;
	const struct ksr_room room = room_of(work->member);
	struct ksr_stop stop;
	int error;

	error = ksr_midst_check(&work->member->image);
	work->began_ns = work->ended_ns = ksr_clock_ns();
	/* Whatever call it stands in: that it is stopped comes first, and lasts longer. */
	work->stopped = error && ksr_image_state(&work->member->image, work->member->pid) == 'T';
	if (error)
		return error;
	work->ended_ns = 0;
	error = ksr_stop_begin(&stop, &work->member->image, STOP_LIMIT_NS);
	if (!error)
		error = call(&stop, &room, work);
	ksr_rest_lead(&stop, &room);
	ksr_stop_end(&stop);
	work->ended_ns = ksr_clock_ns();
	return error;
}

struct word {
	int error;
	enum ksmalloc_keeper_reason reason;
};

/* Of a stop or a call. */
static const struct word words_of_stop[] = {
	{0, KSMALLOC_KEEPER_NONE},
	{-EPERM, KSMALLOC_KEEPER_FORBIDDEN},
	{-EBUSY, KSMALLOC_KEEPER_TRACED},
	{-EACCES, KSMALLOC_KEEPER_FILTERS},
	{-EUSERS, KSMALLOC_KEEPER_PARTNER},
	{-ETIMEDOUT, KSMALLOC_KEEPER_HELD_UP},
	{-ECANCELED, KSMALLOC_KEEPER_HELD_UP},
	{-EAGAIN, KSMALLOC_KEEPER_BUSY},
	{-EOPNOTSUPP, KSMALLOC_KEEPER_UNSUPPORTED},
	{-ENOSYS, KSMALLOC_KEEPER_UNSUPPORTED},
};

/* Of the function. */
static const struct word words_of_pass[] = {
	{-EBUSY, KSMALLOC_KEEPER_BUSY},
	{-EAGAIN, KSMALLOC_KEEPER_BUSY}, /* another member has the group's table */
	{-EPERM, KSMALLOC_KEEPER_WRITERS},
	{-EOPNOTSUPP, KSMALLOC_KEEPER_UNSUPPORTED},
};

static enum ksmalloc_keeper_reason reason_of(const struct word *words, size_t count, int error)
{
	for (size_t i = 0; i < count; i++)
		if (words[i].error == error)
			return words[i].reason;
	return KSMALLOC_KEEPER_FAILED;
}

int ksr_member_step(const struct ksr_member *member, unsigned int budget_us, struct ksr_step *step)
{
	struct work *work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error;

	*step = (struct ksr_step){0};
	if (work == MAP_FAILED)
		return -ENOMEM;
	*work = (struct work){.member = member, .budget_us = budget_us};
	error = ksr_partner_begin(&work->partner, &member->image, member->offer.room_address);
	if (!error) {
		work->began_ns = ksr_clock_ns();
		error = ksr_hand_run(work_in_hand, work);
		/* One that was killed let go when it ended. */
		step->stood_ns = (work->ended_ns ? work->ended_ns : ksr_clock_ns()) - work->began_ns;
	}
	step->reason = error && work->stopped ? KSMALLOC_KEEPER_STOPPED :
						reason_of(words_of_stop, KSM_COUNT_OF(words_of_stop), error);
	if (!error && work->result < 0) {
		error = (int)work->result;
		step->reason = reason_of(words_of_pass, KSM_COUNT_OF(words_of_pass), error);
	}
	step->later_ms = error ? 0 : work->result;
	munmap(work, sizeof(*work));
	return error;
}

const char *ksr_member_words(enum ksmalloc_keeper_reason reason)
{
	static const char *const words[] = {
#define WORDS(name, text) text,
		KSMALLOC_KEEPER_REASONS(WORDS)
#undef WORDS
	};

	return (size_t)reason < KSM_COUNT_OF(words) ? words[reason] : "?";
}

void ksr_member_tell(const struct ksr_member *member, enum ksmalloc_keeper_reason reason)
{
	uint32_t word = reason;

	if (member->offer.reason != word)
		ksr_image_write(&member->image,
				member->segment + offsetof(struct ksmalloc_segment_header, keeper.reason), &word,
				sizeof(word));
}
