/* SPDX-License-Identifier: BSD-2-Clause */
#include "moment.h"

#include "interpreter.h"

#include <stdint.h>
#include <string.h>

#define VALUES 512u    /* are compared with those of the look before: a power of two */
#define LOOKS_RECORDED 16u /* after each boundary: they show what changes at all */
#define MOST_LOOPS 8   /* from the innermost on */
#define MOST_CONTEXTS 64 /* of the stack, of which a recursion that has no loops may have any number */
#define MOST_NAMES 32  /* of a pad: variables and what ops keep there */
#define MOST_BYTES 32u /* of a string */
#define END_OF_NAME 16u /* of a file's: the last bytes */

/* What is looked at. A name tells one from another in this process, a value is equal in equal workers. */
enum source {
	OF_LOOP,
	OF_INPUT,
	OF_TOPIC,
	OF_PAD, /* and those after it: a pad's places */
};

/* The last two are of looks before the boundary that set the turn, and of the last look. */
struct value {
	uint64_t name;
	uint64_t before;
	uint64_t last;
	uint64_t turn;
};

/* A look at one moment. */
struct look {
	uint64_t place;
	uint64_t mask;
	bool records;
	bool is_moment;
};

static struct value values[VALUES];
static uint64_t turn;	   /* boundaries so far */
static unsigned int looks; /* since the last one */

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)(a ^ UINT64_C(0x9e3779b97f4a7c15)) * (b ^ UINT64_C(0xd1b54a32d192ed03));

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(const char *bytes, size_t length)
{
	uint64_t hash = length;

	for (; length >= 8; bytes += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, bytes, sizeof(word));
		hash = mix(hash, word);
	}
	for (; length > 0; bytes++, length--)
		hash = mix(hash, (unsigned char)*bytes);
	return hash;
}

static uint64_t place_of(const struct interpreter *perl)
{
	const COP *cop = perl->Icurcop;
	const char *file = cop ? CopFILE(cop) : NULL;
	uint64_t place = perl->Iop ? perl->Iop->op_type : 0;

	if (cop)
		place = mix(place, CopLINE(cop));
	if (file) {
		size_t length = strlen(file);
		size_t tail = length < END_OF_NAME ? length : END_OF_NAME;

		place = mix(place, hash_bytes(file + length - tail, tail));
	}
	return place;
}

static struct value *value_of(uint64_t name)
{
	return &values[(name >> 32) % VALUES];
}

static bool is_another(uint64_t name, uint64_t value)
{
	const struct value *known = value_of(name);

	return known->name == name && value != (known->turn == turn ? known->before : known->last);
}

static void record(uint64_t name, uint64_t value)
{
	struct value *known = value_of(name);

	if (known->name != name)
		*known = (struct value){ name, value, value, turn };
	if (known->turn != turn) {
		known->before = known->last;
		known->turn = turn;
	}
	known->last = value;
}

/* Of a value with this name, in whichever process. Most are no moment by their hash, which is why that comes first. */
static void consider(struct look *look, uint64_t source, uint64_t name, uint64_t value)
{
	if ((mix(look->place + source, value) & look->mask) == 0 && is_another(mix(name, source) | 1, value))
		look->is_moment = true;
	if (look->records)
		record(mix(name, source) | 1, value);
}

/* Numbers and short strings, as they are: nothing is called that is tied to them. */
static void consider_scalar(struct look *look, uint64_t source, const void *name, const SV *sv)
{
	uint64_t value;

	/* Constants are kept there, too. */
	if (!sv || SvTYPE(sv) > SVt_PVMG || SvFLAGS(sv) & (SVf_ROK | SVf_READONLY))
		return;
	if (SvIOK(sv)) {
		value = (uint64_t)SvIVX(sv);
	} else if (SvPOK(sv)) {
		value = hash_bytes(SvPVX_const(sv), SvCUR(sv) < MOST_BYTES ? SvCUR(sv) : MOST_BYTES);
	} else if (SvNOK(sv)) {
		NV number = SvNVX(sv);

		memset(&value, 0, sizeof(value));
		memcpy(&value, &number, sizeof(value));
	} else {
		return;
	}
	consider(look, source, (uintptr_t)name, value);
}

static void consider_loops(struct look *look, const struct interpreter *perl)
{
	const PERL_SI *stack = perl->Icurstackinfo;
	int loops = 0;
	I32 end;

	if (!stack)
		return;
	end = stack->si_cxix - MOST_CONTEXTS;
	for (I32 i = stack->si_cxix; i >= 0 && i > end && loops < MOST_LOOPS; i--) {
		const PERL_CONTEXT *context = &stack->si_cxstack[i];
		IV index;

		switch (CxTYPE(context)) {
		case CXt_LOOP_ARY:
			index = context->blk_loop.state_u.ary.ix;
			break;
		case CXt_LOOP_LAZYIV:
			index = context->blk_loop.state_u.lazyiv.cur;
			break;
		case CXt_LOOP_LIST:
			index = context->blk_loop.state_u.stack.ix;
			break;
		default:
			continue;
		}
		loops++;
		consider(look, OF_LOOP, (uintptr_t)i, (uint64_t)index);
	}
}

static void consider_globals(struct look *look, const struct interpreter *perl)
{
	const GV *input = perl->Ilast_in_gv;
	const GV *topic = perl->Idefgv;

	if (input && SvTYPE(input) == SVt_PVGV && isGV_with_GP(input) && GvGP(input) && GvIOp(input))
		consider(look, OF_INPUT, (uintptr_t)input, (uint64_t)IoLINES(GvIOp(input)));
	if (topic && isGV_with_GP(topic) && GvGP(topic))
		consider_scalar(look, OF_TOPIC, topic, GvSV(topic));
}

static void consider_pad(struct look *look, const struct interpreter *perl)
{
	PAD *pad = perl->Icomppad;
	SSize_t last;

	if (!pad || !AvARRAY(pad))
		return;
	last = AvFILLp(pad) < MOST_NAMES ? AvFILLp(pad) : MOST_NAMES;
	/* The first place of a pad has a function's arguments. */
	for (SSize_t i = 1; i <= last; i++)
		consider_scalar(look, OF_PAD + (uint64_t)i, pad, AvARRAY(pad)[i]);
}

void ksp_moment_passed(void)
{
	turn++;
	looks = 0;
}

bool ksp_moment_is(const struct interpreter *perl, unsigned int bits)
{
	struct look look = {
		.place = place_of(perl),
		.mask = (UINT64_C(1) << bits) - 1,
		.records = looks++ < LOOKS_RECORDED,
	};

	consider_loops(&look, perl);
	consider_globals(&look, perl);
	consider_pad(&look, perl);
	return look.is_moment;
}
