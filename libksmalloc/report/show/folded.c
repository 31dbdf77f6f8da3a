/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/folded.h"

#include <inttypes.h>
#include <string.h>

/* A text in a line: a ';' would be taken for the end of a frame. */
static void put_text(FILE *output, const char *text)
{
	for (; *text; text++)
		putc(*text == ';' ? ',' : *text, output);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void put_frame(const struct ksr_picture *picture, const struct ksr_picture_frame *frame, FILE *output)
{
	const char *file = ksr_pool_text(&picture->texts, frame->file);

	put_text(output, ksr_pool_text(&picture->texts, frame->function));
	if (!file[0])
		return;
	/* Without the line: a function is one frame of a flame graph. */
	fputs(" (", output);
	put_text(output, last_component(file));
	putc(')', output);
}

int ksr_folded_write(const struct ksr_scene *scene, FILE *output)
{
	const struct ksr_picture *picture = scene->picture;

	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];
		const char *group = ksr_pool_text(&picture->texts, picture->groups[origin->group].name);
		const char *program = ksr_pool_text(&picture->texts, origin->program);

		if (origin->values[scene->value] == 0)
			continue;
		put_text(output, group[0] ? group : "(no group)");
		putc(';', output);
		put_text(output, program[0] ? program : "(all programs)");
		for (uint32_t depth = origin->shown; depth-- > 0;) {
			putc(';', output);
			put_frame(picture, ksr_picture_frame_at(picture, origin, depth), output);
		}
		fprintf(output, " %" PRIu64 "\n", origin->values[scene->value]);
	}
	return 0;
}
