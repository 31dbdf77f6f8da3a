/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps of code made at run time, as V8 and others write them, and as somebody writes them who means harm. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "names/perf_map.h"

static struct ksr_perf_map *parse(const char *text)
{
	struct ksr_perf_map *map = ksr_perf_map_parse(strdup(text), strlen(text));

	cr_assert(map);
	return map;
}

static void expect(const struct ksr_perf_map *map, uint64_t address, const char *function, const char *place)
{
	struct ksr_perf_name name = {KSR_PERF_SCRIPT, "", ""};

	cr_assert_eq(ksr_perf_map_find(map, address, &name), function != NULL, "at %lx", (unsigned long)address);
	if (function) {
		cr_assert_str_eq(name.function, function);
		cr_assert_str_eq(name.place, place);
	}
}

Test(perf_map, names_of_v8_and_of_others)
{
	struct ksr_perf_map *map = parse("1000 10 JS:~grow /app/a.js:2:14\n"
					 "1010 10 LazyCompile:*run /app/with space/b.js:7\n"
					 "1020 8 JS:^ node:internal/x:30:5\n"
					 "1030 10 Builtin:CallFunction\n"
					 "2000 40 java.util.ArrayList.grow(int)\n");

	expect(map, 0xfff, NULL, NULL);
	expect(map, 0x1000, "grow", "/app/a.js:2");
	expect(map, 0x100f, "grow", "/app/a.js:2");
	expect(map, 0x1010, "run", "/app/with space/b.js:7");
	expect(map, 0x1021, "(anonymous)", "node:internal/x:30");
	expect(map, 0x1028, NULL, NULL);
	expect(map, 0x1030, "Builtin:CallFunction", "");
	expect(map, 0x203f, "java.util.ArrayList.grow(int)", "");
	expect(map, 0x2040, NULL, NULL);
	expect(map, UINT64_MAX, NULL, NULL);
	ksr_perf_map_destroy(map);
}

static enum ksr_perf_kind kind_of(const struct ksr_perf_map *map, uint64_t address)
{
	struct ksr_perf_name name = {KSR_PERF_SCRIPT, "", ""};

	cr_assert(ksr_perf_map_find(map, address, &name));
	return name.kind;
}

Test(perf_map, methods_of_java_and_parts_of_engines)
{
	struct ksr_perf_map *map = parse("0x0000000000001000 0x10 void app.Hold.outer(int, java.lang.Object)\n"
					 "0x1010 0x10 void java.nio.DirectByteBuffer.<init>(int)\n"
					 "0x1020 0x10 int app.Hold$$Lambda$14/0x0000000800c03000.run()\n"
					 "0x1030 0x10 Interpreter\n0x1040 0x10 StubRoutines (1)\n"
					 "0x1050 0x10 I2C/C2I adapters\n0x1060 0x10 new_instance Runtime1 stub\n"
					 "1070 10 Builtin:ArrayPush\n1080 10 JS:~grow /app/a.js:2:14\n"
					 "1090 10 two words app.Hold.outer(int)\n10a0 10 f()\n10b0 10  ()\n10c0 10 a b()\n");

	expect(map, 0x1000, "app.Hold.outer", "");
	expect(map, 0x1010, "java.nio.DirectByteBuffer.<init>", "");
	expect(map, 0x1020, "app.Hold$$Lambda$14.run", "");
	expect(map, 0x1030, "Interpreter", "");
	cr_assert_eq(kind_of(map, 0x1000), KSR_PERF_JAVA);
	for (uint64_t address = 0x1030; address < 0x1080; address += 0x10)
		cr_assert_eq(kind_of(map, address), KSR_PERF_ENGINE, "at %lx", (unsigned long)address);
	cr_assert_eq(kind_of(map, 0x1080), KSR_PERF_SCRIPT);
	/* What is not written as a method is left as it is. */
	expect(map, 0x1090, "two words app.Hold.outer(int)", "");
	expect(map, 0x10a0, "f()", "");
	expect(map, 0x10b0, " ()", "");
	expect(map, 0x10c0, "a b()", "");
	ksr_perf_map_destroy(map);
}

Test(perf_map, later_lines_are_newer_code)
{
	struct ksr_perf_map *map = parse("1000 100 old\n1040 10 within\n1000 20 new\n");

	expect(map, 0x1010, "new", "");
	expect(map, 0x1030, "old", "");
	expect(map, 0x1045, "within", "");
	ksr_perf_map_destroy(map);
}

Test(perf_map, what_is_no_line_is_left_out)
{
	static const char hostile[] = "\n\n \nzzz 10 a\n1000\n1000 \n1000 0 empty\n1000 10\n1000 10 \n"
				      "ffffffffffffffff ffffffffffffffff over\n1000 -5 negative\n"
				      "3000 10 fine\n4000 10 unfinished";
	char *longest = malloc(3000000);
	struct ksr_perf_map *map = parse(hostile);
	struct ksr_perf_name name;

	expect(map, 0x3000, "fine", "");
	expect(map, 0x4000, NULL, NULL);
	ksr_perf_map_destroy(map);
	memset(longest, 'n', 3000000);
	memcpy(longest, "1000 10 ", 8);
	longest[2999999] = '\n';
	map = ksr_perf_map_parse(longest, 3000000);
	cr_assert(ksr_perf_map_find(map, 0x1000, &name));
	cr_assert_eq(strlen(name.function), 1000);
	ksr_perf_map_destroy(map);
	map = parse("");
	expect(map, 0, NULL, NULL);
	ksr_perf_map_destroy(map);
}
