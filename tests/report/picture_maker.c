/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a made-up picture in one of its forms, for tests of what reads them: names that are meant to do harm, and more
 * stacks than any machine has.
 *
 * Usage: picture_maker KIND FORM, where KIND is service, hostile, empty or a number of origins, and FORM the option of a
 * form, or json.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show/form.h"
#include "show/origins.h"

/* A frame as tests write it. */
struct line {
	const char *function;
	const char *file;
	uint32_t line;
	const char *module;
	const char *language;
};

static struct ksr_picture picture;

static uint32_t frame(const struct line *line)
{
	struct ksr_picture_frame made = {
		.function = ksr_picture_text(&picture, line->function),
		.file = ksr_picture_text(&picture, line->file),
		.line = line->line,
		.module = ksr_picture_text(&picture, line->module),
		.language = ksr_picture_text(&picture, line->language),
	};

	return ksr_picture_frame(&picture, &made);
}

/* Of the memory that an origin holds, parts of it in percent. */
struct share {
	unsigned int merged;
	unsigned int shared;
	unsigned int fork;
};

static void set_values(struct ksr_picture_origin *origin, uint64_t held, const struct share *share)
{
	origin->values[KSR_VALUE_HELD] = held;
	origin->values[KSR_VALUE_LIVE] = held - held / 9;
	origin->values[KSR_VALUE_SHARED] = held * share->shared / 100;
	origin->values[KSR_VALUE_RESIDENT] = held - held * share->shared / 200;
	origin->values[KSR_VALUE_MERGED] = held * share->merged / 100;
	origin->values[KSR_VALUE_SAVED] = held * share->merged / 100 * 3 / 4;
	origin->values[KSR_VALUE_FORK_SHARED] = held * share->fork / 100;
	origin->values[KSR_VALUE_PRIVATE] = held * (100 - share->merged - share->shared - share->fork) / 100;
}

static void add(uint32_t group, const char *program, uint64_t id, uint64_t held, const struct share *share,
		const struct line *lines, size_t count)
{
	struct ksr_picture_origin origin = {.id = id,
					    .group = group,
					    .program = ksr_picture_text(&picture, program),
					    .name = ksr_picture_text(&picture, lines[0].function),
					    .processes = 4,
					    .shown = (uint32_t)count};
	uint32_t stack[KSR_STACK_MOST];

	for (size_t i = 0; i < count; i++)
		stack[i] = frame(&lines[i]);
	set_values(&origin, held, share);
	/* Of some it is known to 5 % only what they have. */
	origin.error = id % 4 == 1 ? origin.values[KSR_VALUE_LIVE] / 20 : 0;
	ksr_picture_add(&picture, &origin, stack, count);
}

#define PYTHON(function, file, number) {function, "/srv/app/" file, number, file, "python"}
#define NATIVE(function, file, number, module) {function, file, number, module, "native"}
#define ADD(group, program, mib, merged, shared, fork, ...)                                        \
	do {                                                                                       \
		static const struct line lines[] = {__VA_ARGS__};                                  \
		add(group, program, ++id, (uint64_t)((mib) * 1048576.0),                           \
		    &(struct share){merged, shared, fork}, lines, sizeof(lines) / sizeof(lines[0])); \
	} while (0)

#define SERVE PYTHON("serve", "server.py", 88), PYTHON("<module>", "main.py", 12)

static void make_service(void)
{
	uint32_t web = ksr_picture_group(&picture, "web", "shared");
	uint32_t batch = ksr_picture_group(&picture, "batch", "private");
	uint64_t id = 0x51e0;

	picture.groups[web].processes = 8;
	picture.groups[web].store = 96 << 20;
	picture.groups[batch].processes = 3;
	ADD(web, "gunicorn", 310, 0, 82, 4, NATIVE("PyArray_NewFromDescr", "ctors.c", 840, "_multiarray_umath.so"),
	    PYTHON("load_weights", "model.py", 41), PYTHON("Model.__init__", "model.py", 17),
	    PYTHON("create_app", "factory.py", 9), SERVE);
	ADD(web, "gunicorn", 148, 0, 64, 10, NATIVE("list_resize", "listobject.c", 70, "python3.11"),
	    PYTHON("read_rows", "catalogue.py", 130), PYTHON("Catalogue.load", "catalogue.py", 55),
	    PYTHON("create_app", "factory.py", 14), SERVE);
	ADD(web, "gunicorn", 96, 0, 71, 2, NATIVE("dictresize", "dictobject.c", 1200, "python3.11"),
	    PYTHON("index_by_name", "catalogue.py", 161), PYTHON("Catalogue.load", "catalogue.py", 58),
	    PYTHON("create_app", "factory.py", 14), SERVE);
	ADD(web, "gunicorn", 74, 0, 3, 1, PYTHON("render", "templates.py", 203), PYTHON("handle", "views.py", 64),
	    PYTHON("dispatch", "router.py", 31), SERVE);
	ADD(web, "gunicorn", 41, 0, 0, 0, PYTHON("decode", "json_codec.py", 18), PYTHON("handle", "views.py", 61),
	    PYTHON("dispatch", "router.py", 31), SERVE);
	ADD(web, "gunicorn", 29, 0, 40, 12, NATIVE("PyCode_New", "codeobject.c", 300, "python3.11"),
	    PYTHON("<module>", "models/__init__.py", 3), PYTHON("<module>", "main.py", 2));
	ADD(web, "gunicorn", 18, 0, 22, 0, NATIVE("SSL_CTX_new", "ssl_lib.c", 3000, "libssl.so.3"),
	    PYTHON("connect", "db.py", 22), PYTHON("Pool.get", "db.py", 51), PYTHON("handle", "views.py", 40),
	    PYTHON("dispatch", "router.py", 31), SERVE);
	ADD(web, "gunicorn", 52, 0, 35, 20, NATIVE("(small blocks, in jemalloc's memory)", "", 0, ""));
	ADD(web, "gunicorn", 9, 0, 0, 0, NATIVE("(stacks of threads, bss and other anonymous memory)", "", 0, ""));
	ADD(batch, "php", 120, 70, 0, 0, {"Symfony\\Component\\Cache\\Adapter\\PhpArrayAdapter::initialize", "/srv/php/vendor/cache/PhpArrayAdapter.php", 390, "PhpArrayAdapter.php", "php"},
	    {"App\\Kernel::boot", "/srv/php/src/Kernel.php", 44, "Kernel.php", "php"},
	    {"{main}", "/srv/php/public/index.php", 9, "index.php", "php"});
	ADD(batch, "php", 33, 10, 0, 5, {"App\\Import::rows", "/srv/php/src/Import.php", 88, "Import.php", "php"},
	    {"{main}", "/srv/php/public/index.php", 12, "index.php", "php"});
	ADD(batch, "worker", 64, 48, 0, 0, NATIVE("build_table", "table.c", 118, "worker"),
	    NATIVE("load_data", "load.c", 40, "worker"), NATIVE("main", "main.c", 77, "worker"));
	ADD(batch, "worker", 22, 0, 0, 0,
	    NATIVE("std::vector<std::pair<unsigned long, std::string>, std::allocator<std::pair<unsigned long, std::string> > >::reserve", "vector.tcc", 70, "worker"),
	    NATIVE("parse", "parse.cc", 19, "worker"), NATIVE("main", "main.c", 80, "worker"));
}

static void make_hostile(void)
{
	uint32_t group = ksr_picture_group(&picture, "</script ><script >window.broken=1</script >", "shared");
	char *endless = malloc((1 << 20) + 1);
	uint64_t id = 0;

	memset(endless, 'x', 1 << 20);
	endless[1 << 20] = '\0';
	picture.groups[group].processes = 1;
	ADD(group, "<img src=x onerror=window.broken=2>", 50, 0, 50, 0,
	    {"<img src=x onerror=window.broken=3>", "<!--<script x", 1, "\"><svg onload=window.broken=4>", "native"},
	    {"-->]]>&lt;&#60;\\u003cscript>", "\\\"'`${window.broken=5}", 2, "';window.broken=6;//", "python"});
	ADD(group, "__proto__", 40, 0, 50, 0, {"constructor", "__proto__", 3, "toString", "__proto__"},
	    {"line\nbreak\r\nand\ttab;semi 7", "nul-free\033[31mred\033[0m", 4, "a;b c", "constructor"});
	ADD(group, "\342\200\256gpj.exe", 30, 0, 50, 0,
	    {"\342\200\256txt.\342\201\246evil\342\200\217\342\200\250next\342\200\251", "\327\251\327\234\327\225\327\235.py", 5, "\377\376bad utf8\300\257", "native"},
	    {"{}=\"label\",x=\\\"", "#EOF\n# EOF", 6, "{\\", "native"});
	add(group, endless, ++id, 20 << 20, &(struct share){0, 50, 0},
	    &(struct line){endless, endless, 7, endless, endless}, 1);
	free(endless);
}

/* Stacks of 16 frames that differ everywhere. */
static void make_many(uint64_t count)
{
	uint32_t group = ksr_picture_group(&picture, "many", "shared");
	uint64_t random = 1;

	for (uint64_t i = 0; i < count; i++) {
		struct line lines[16];
		char names[16][40];

		for (size_t k = 0; k < 16; k++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			/* Callers are fewer than those that are called. */
			snprintf(names[k], sizeof(names[k]), "function_%u_%u", (unsigned int)(16 - k),
				 (unsigned int)(random >> 33) % (1u << ((16 - k) > 12 ? 12 : 16 - k)));
			lines[k] = (struct line){names[k], "source.c", (uint32_t)(random >> 60), "program", "native"};
		}
		add(group, "program", i + 1, 4096 * (1 + (random >> 50)), &(struct share){10, 20, 30}, lines, 16);
	}
}

static int write_json(FILE *output)
{
	struct ksr_emitter *emitter = ksr_emitter_create(&(struct ksr_output){.format = KSR_FORMAT_JSON, .compact = true}, output);

	if (!emitter)
		return 1;
	ksr_render_origins(&picture, emitter);
	return ksr_emitter_finish(emitter) != 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"text",
#define NAME(name, option, help) option,
		KSR_FORMS(NAME)
#undef NAME
	};
	static struct ksr_report report = {.page_bytes = 4096};
	const struct ksr_scene scene = {.picture = &picture, .report = &report};

	if (argc != 3 || ksr_picture_init(&picture))
		return 2;
	picture.time = 1764400000;
	if (strcmp(argv[1], "service") == 0)
		make_service();
	else if (strcmp(argv[1], "hostile") == 0)
		make_hostile();
	else if (strcmp(argv[1], "empty") != 0)
		make_many(strtoull(argv[1], NULL, 10));
	if (ksr_picture_finish(&picture))
		return 1;
	if (strcmp(argv[2], "json") == 0)
		return write_json(stdout);
	for (int i = 0; i < KSR_FORMAT_COUNT; i++) {
		if (strcmp(names[i], argv[2]) == 0 && ksr_form_is_picture((enum ksr_format)i))
			return ksr_form_write((enum ksr_format)i, &scene, stdout) != 0;
	}
	return 2;
}
