/* SPDX-License-Identifier: BSD-2-Clause */
#include "top/act.h"

#include <stdio.h>
#include <string.h>

static const uint64_t intervals[] = {100, 250, 500, 1000, 2000, 3000, 5000, 10000, 30000, 60000};

void ksr_top_state_init(struct ksr_top_state *state, uint64_t interval_ms)
{
	memset(state, 0, sizeof(*state));
	ksr_top_model_init(&state->model);
	state->wishes.interval_ms = interval_ms;
	state->page = 1;
}

void ksr_top_state_fini(struct ksr_top_state *state)
{
	ksr_top_model_fini(&state->model);
}

static void set_error(struct ksr_top_state *state, int error)
{
	if (error)
		state->error = error;
}

/* The next one of the table, from whatever --interval has set. */
static void change_interval(struct ksr_top_state *state, int direction)
{
	uint64_t now = state->wishes.interval_ms;

	for (size_t i = 0; i < KSM_COUNT_OF(intervals); i++) {
		size_t index = direction > 0 ? i : KSM_COUNT_OF(intervals) - 1 - i;

		if (direction > 0 ? intervals[index] > now : intervals[index] < now) {
			state->wishes.interval_ms = intervals[index];
			return;
		}
	}
}

static void set_view(struct ksr_top_state *state, int view)
{
	set_error(state, ksr_top_model_set_view(&state->model, (enum ksr_top_view)(view % KSR_TOP_VIEW_COUNT)));
	state->wishes.places = state->model.view == KSR_TOP_VIEW_PLACES;
}

static void enter(struct ksr_top_state *state)
{
	const struct ksr_top_model *model = &state->model;

	if (model->view == KSR_TOP_VIEW_GROUPS && model->row_count)
		set_error(state, ksr_top_model_enter_group(&state->model, model->rows[model->chosen].name));
}

/* The way back: the filter goes first, then the choice of a group. */
static void leave(struct ksr_top_state *state)
{
	if (state->model.filter[0])
		set_error(state, ksr_top_model_set_filter(&state->model, ""));
	else if (state->model.in_group)
		set_view(state, KSR_TOP_VIEW_GROUPS);
}

static void do_action(struct ksr_top_state *state, const struct ksr_top_key *key)
{
	int64_t page = (int64_t)ksm_max(state->page, 1);

	switch (key->action) {
	case KSR_TOP_DO_VIEW:
		set_view(state, key->argument);
		break;
	case KSR_TOP_DO_NEXT_VIEW:
		set_view(state, (int)state->model.view + key->argument);
		break;
	case KSR_TOP_DO_MOVE:
		ksr_top_model_move(&state->model, key->argument);
		break;
	case KSR_TOP_DO_PAGE:
		ksr_top_model_move(&state->model, key->argument * page);
		break;
	case KSR_TOP_DO_ENDS:
		ksr_top_model_move(&state->model, key->argument * (int64_t)state->model.row_count);
		break;
	case KSR_TOP_DO_ENTER:
		enter(state);
		break;
	case KSR_TOP_DO_LEAVE:
		leave(state);
		break;
	case KSR_TOP_DO_FILTER:
		memcpy(state->old_filter, state->model.filter, sizeof(state->old_filter));
		state->mode = KSR_TOP_FILTER;
		break;
	case KSR_TOP_DO_SORT:
		set_error(state, ksr_top_model_set_sort(&state->model, (enum ksr_top_column)key->argument));
		break;
	case KSR_TOP_DO_MOVE_SORT:
		set_error(state, ksr_top_model_move_sort(&state->model, key->argument));
		break;
	case KSR_TOP_DO_REVERSE:
		set_error(state, ksr_top_model_set_sort(&state->model, state->model.sort[state->model.view]));
		break;
	case KSR_TOP_DO_PAUSE:
		state->wishes.paused = !state->wishes.paused;
		break;
	case KSR_TOP_DO_INTERVAL:
		change_interval(state, key->argument);
		break;
	case KSR_TOP_DO_HELP:
		state->mode = KSR_TOP_HELP;
		state->help_first = 0;
		break;
	case KSR_TOP_DO_REDRAW:
		state->redraw = true;
		break;
	case KSR_TOP_DO_QUIT:
		state->quit = true;
		break;
	case KSR_TOP_DO_NOTHING:
		break;
	}
}

/* Keys that do not scroll end help; the frame sees to it that it does not scroll too far. */
static void help_key(struct ksr_top_state *state, const struct ksr_top_key *key)
{
	size_t step = key->action == KSR_TOP_DO_PAGE ? ksm_max(state->page, 1) : 1;

	if (key->action == KSR_TOP_DO_MOVE || key->action == KSR_TOP_DO_PAGE) {
		if (key->argument > 0)
			state->help_first += step;
		else
			state->help_first -= ksm_min(step, state->help_first);
	} else if (key->action == KSR_TOP_DO_ENDS) {
		state->help_first = key->argument > 0 ? SIZE_MAX / 2 : 0;
	} else if (key->action == KSR_TOP_DO_REDRAW) {
		state->redraw = true;
	} else {
		state->mode = KSR_TOP_BROWSE;
	}
}

/* --- the filter ------------------------------------------------------------------------------------------ */

static size_t encode(uint32_t point, char *text)
{
	if (point < 0x80) {
		text[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		text[0] = (char)(0xc0 | point >> 6);
		text[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		text[0] = (char)(0xe0 | point >> 12);
		text[1] = (char)(0x80 | (point >> 6 & 0x3f));
		text[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	text[0] = (char)(0xf0 | point >> 18);
	text[1] = (char)(0x80 | (point >> 12 & 0x3f));
	text[2] = (char)(0x80 | (point >> 6 & 0x3f));
	text[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static void remove_last(char *text)
{
	size_t bytes = strlen(text);

	while (bytes && ((unsigned char)text[bytes - 1] & 0xc0) == 0x80)
		bytes--;
	text[bytes ? bytes - 1 : 0] = '\0';
}

static void filter_key(struct ksr_top_state *state, uint32_t code)
{
	char filter[KSR_TOP_FILTER_BYTES + 4];
	size_t bytes = strlen(state->model.filter);

	memcpy(filter, state->model.filter, bytes + 1);
	if (code == KSR_TOP_CODE_ENTER || code == '\r' || code == '\n') {
		state->mode = KSR_TOP_BROWSE;
		return;
	}
	if (code == KSR_TOP_CODE_ESCAPE) {
		state->mode = KSR_TOP_BROWSE;
		memcpy(filter, state->old_filter, sizeof(state->old_filter));
	} else if (code == KSR_TOP_CODE_BACKSPACE || code == 0x7f || code == 0x08) {
		remove_last(filter);
	} else if (code == 0x15) {
		filter[0] = '\0';
	} else if (code >= 0x20 && code < 0x110000) {
		bytes += encode(code, filter + bytes);
		/* What has no room any more is not taken in half. */
		if (bytes >= KSR_TOP_FILTER_BYTES)
			return;
		filter[bytes] = '\0';
	} else {
		return;
	}
	set_error(state, ksr_top_model_set_filter(&state->model, filter));
}

void ksr_top_act(struct ksr_top_state *state, uint32_t code)
{
	struct ksr_top_key key = ksr_top_key_find(code);

	if (state->mode == KSR_TOP_FILTER)
		filter_key(state, code);
	else if (state->mode == KSR_TOP_HELP)
		help_key(state, &key);
	else
		do_action(state, &key);
}
