/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of functions as languages make them, and which frame names a stack. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "names/naming.h"
#include "names/rust.h"

static struct ksr_machinery *machinery;

static void create(void)
{
	machinery = ksr_machinery_create();
	cr_assert(machinery, "a line of machinery.list is wrong");
}

static void destroy(void)
{
	ksr_machinery_destroy(machinery);
}

static bool has(const char *function, const char *module)
{
	const char *what;

	return ksr_machinery_has(machinery, function, module, &what);
}

static void expect_short(const char *function, const char *expected)
{
	char *name = ksr_name_shorten(function);

	cr_expect_str_eq(name, expected, "%s became %s", function, name);
	free(name);
}

Test(naming, test_shortened_names)
{
	expect_short("main", "main");
	expect_short("app::load::h0123456789abcdef", "app::load");
	expect_short("app::load::h0123456789abcdeg", "app::load::h0123456789abcdeg");
	expect_short("std::vector<int, std::allocator<int> >::push_back(int const&)", "std::vector::push_back");
	expect_short("void store::fill<std::map<int, int> >(int, char*)", "store::fill");
	expect_short("Table::operator<(Table const&) const", "Table::operator<");
	expect_short("std::ostream& operator<< <char>(std::ostream&, char)", "operator<<");
	expect_short("Functor<int>::operator()(int) const", "Functor::operator()");
	expect_short("(anonymous namespace)::load(int)", "(anonymous namespace)::load");
	expect_short("load(int)::{lambda(int)#1}::operator()(int) const", "load::{lambda#1}::operator()");
	expect_short("operator new(unsigned long)", "operator new");
	expect_short("operator new[](unsigned long)", "operator new[]");
	expect_short("_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$::clone::h0123456789abcdef",
		     "alloc::vec::Vec::clone");
	expect_short("alloc::vec::Vec<T,A>::reserve::h0123456789abcdef", "alloc::vec::Vec::reserve");
	expect_short("<app::Row as app::Load>::load", "app::Row::load");
	expect_short("core::ops::function::FnOnce::call_once{{vtable.shim}}::h0123456789abcdef",
		     "core::ops::function::FnOnce::call_once{{vtable.shim}}");
	expect_short("python3.11+0x4d0c9d", "python3.11+0x4d0c9d");
	expect_short("load[abi:cxx11](int)", "load");
	/* Any text may stand there. */
	expect_short("<", "<");
	expect_short("", "");
	expect_short("a<b", "a");
}

static void expect_rust(const char *symbol, const char *expected)
{
	char *name = ksr_rust_name(symbol);

	if (expected)
		cr_expect(name && strcmp(name, expected) == 0, "%s became %s", symbol, name ? name : "nothing");
	else
		cr_expect_null(name, "%s became %s", symbol, name ? name : "nothing");
	free(name);
}

/* Symbols as rustc 1.95 has written them, and what can only be an accident. */
Test(naming, test_rust)
{
	expect_rust("_RNvNtCslNYArtu3iFV_5alloc5alloc5alloc", "alloc::alloc::alloc");
	expect_rust("_RNvMNtCslNYArtu3iFV_5alloc5allocNtB2_6Global18alloc_impl_runtime", "alloc::alloc::Global::alloc_impl_runtime");
	expect_rust("_RNvXs_NtCslNYArtu3iFV_5alloc5allocNtB4_6GlobalNtNtCsgEmfK2I1SDS_4core5alloc9Allocator8allocate",
		    "alloc::alloc::Global::allocate");
	expect_rust("_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVechE16with_capacity_inB7_",
		    "alloc::raw_vec::RawVec::with_capacity_in");
	expect_rust("_RNCNvNtCsjrHSEGnQ3l9_3std2rt19lang_start_internal0B5_", "std::rt::lang_start_internal::{{closure}}");
	expect_rust("_RNvXs0_NtNtNtCsgEmfK2I1SDS_4core3ops8function5implsRDINtB7_2FnuEp6OutputlNtNtBb_6marker4SyncNtNtNtBb_5panic"
		    "11unwind_safe13RefUnwindSafeEL_INtB7_6FnOnceuE9call_onceCsjrHSEGnQ3l9_3std", "core::ops::function::impls::call_once");
	expect_rust("_RINvMNtCsgEmfK2I1SDS_4core5sliceSh11copy_withinINtNtNtB5_3ops5range14RangeInclusivejEECsfEOYDRpO4Ta_11miniz_oxide",
		    "core::slice::copy_within");
	expect_rust("_RINvMNtCsgEmfK2I1SDS_4core3stre18trim_start_matchesReECsgY6Mt91CT9J_14rustc_demangle", "core::str::trim_start_matches");
	expect_rust("_Read", NULL);
	expect_rust("_R", NULL);
	expect_rust("_RNvC3app", NULL);
	expect_rust("_RNvC9app4main", NULL);
	expect_rust("_RNvB_4main", NULL);
	expect_rust("_RNvC99999999999999999999999app4main", NULL);
}

/* References that lead to each other, and text that never ends, are given up. */
Test(naming, test_rust_that_is_not_sound)
{
	char *deep = malloc(1 << 20);

	memset(deep, 'N', (1 << 20) - 1);
	memcpy(deep, "_R", 2);
	deep[(1 << 20) - 1] = '\0';
	expect_rust(deep, NULL);
	for (size_t i = 2; i + 1 < 1 << 20; i++)
		deep[i] = "INvC1aTB0_B_TB1_"[i % 16];
	expect_rust(deep, NULL);
	srand(3);
	for (size_t turn = 0; turn < 20000; turn++) {
		static const char letters[] = "CNMXYIBETRQPOASFDLKsvt_0123456789abpGU";
		size_t bytes = 3 + (size_t)rand() % 200;

		deep[2] = "CNMXYI"[rand() % 6];
		for (size_t i = 3; i < bytes; i++)
			deep[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
		deep[bytes] = '\0';
		free(ksr_rust_name(deep));
	}
	free(deep);
}

Test(naming, test_long_names_are_cut)
{
	char *name = malloc(1 << 20);
	char *result;

	memset(name, '<', (1 << 20) - 1);
	name[(1 << 20) - 1] = '\0';
	result = ksr_name_shorten(name);
	cr_assert_lt(strlen(result), KSR_NAME_BYTES);
	free(result);
	memset(name, 'x', (1 << 20) - 1);
	result = ksr_name_shorten(name);
	cr_assert_lt(strlen(result), KSR_NAME_BYTES);
	free(result);
	free(name);
}

Test(naming, test_machinery, .init = create, .fini = destroy)
{
	const char *what;

	cr_assert(has("anything", "libksmalloc.so.0"));
	cr_assert(has("malloc", "libc.so.6"));
	cr_assert(has("PyMem_RawMalloc", "python3.11"));
	cr_assert(has("operator new[]", "libstdc++.so.6"));
	cr_assert(has("hashbrown::raw::RawTable::reserve_rehash", "app"));
	cr_assert(has("alloc::raw_vec::finish_grow", "app"));
	cr_assert(has("std::vector::push_back", "app"));
	cr_assert_not(has("malloc_config", "server"));
	cr_assert_not(has("main", "malloc"));
	cr_assert_not(has("json_object_new", "libjson-c.so.5"));
	cr_assert(ksr_machinery_has(machinery, "list_resize", "python3.11", &what));
	cr_assert_str_eq(what, "list");
	cr_assert(ksr_machinery_has(machinery, "std::unordered_map::emplace", "app", &what));
	cr_assert_str_eq(what, "hash table");
}

Test(naming, test_folders_of_scripts, .init = create, .fini = destroy)
{
	cr_assert_eq(ksr_machinery_script(machinery, "/srv/app/app.py"), 0);
	cr_assert_eq(ksr_machinery_script(machinery, "/usr/lib/python3.11/json/decoder.py:3"),
		     strlen("/usr/lib/python3.11/"));
	cr_assert_eq(ksr_machinery_script(machinery, "/venv/lib/python3.11/site-packages/flask/app.py"),
		     strlen("/venv/lib/python3.11/site-packages/"));
	cr_assert_eq(ksr_machinery_script(machinery, "/srv/node_modules/a/node_modules/b/x.js"),
		     strlen("/srv/node_modules/a/node_modules/"));
	cr_assert_neq(ksr_machinery_script(machinery, "node:internal/fs"), 0);
	cr_assert_neq(ksr_machinery_script(machinery, "<frozen importlib._bootstrap>"), 0);
	cr_assert_eq(ksr_machinery_script(machinery, ""), 0);
}

Test(naming, test_lines_that_are_added, .init = create, .fini = destroy)
{
	static const char good[] = "# mine\n\nframe * pool_take  rows of a pool\nown * malloc\nscript /opt/shop/lib/\r\n";
	static const char *const bad[] = {"frame *\n", "frame\n", "own * x what\n", "some * x\n", "script\n", "frame a b\0c\n"};
	const char *what;
	char why[256];

	cr_assert_eq(ksr_machinery_add(machinery, good, strlen(good), why, sizeof(why)), 0);
	cr_assert(ksr_machinery_has(machinery, "pool_take", "shop", &what));
	cr_assert_str_eq(what, "rows of a pool");
	cr_assert_not(has("malloc", "libc.so.6"), "the first line that fits decides");
	cr_assert_eq(ksr_machinery_script(machinery, "/opt/shop/lib/x.py"), strlen("/opt/shop/lib/"));
	for (size_t i = 0; i < KSM_COUNT_OF(bad); i++) {
		size_t bytes = i + 1 == KSM_COUNT_OF(bad) ? 12 : strlen(bad[i]);

		cr_expect_lt(ksr_machinery_add(machinery, bad[i], bytes, why, sizeof(why)), 0, "%s", bad[i]);
		cr_expect(strstr(why, "line 1: "), "%s", why);
	}
}

/* Lines are "function|place|module|language", innermost first. */
static void expect_stack(struct ksr_line *lines, size_t count, const char *name, const char *what)
{
	struct ksr_stack stack = {.lines = lines, .count = count};
	char *where;
	char *found;

	ksr_naming_decide(machinery, &stack);
	where = ksr_naming_where(machinery, &stack);
	found = ksr_naming_name(&stack, where);
	cr_expect_str_eq(found, name, "%s instead of %s", found, name);
	if (what)
		cr_expect_str_eq(stack.what, what);
	else
		cr_expect_null(stack.what);
	free(where);
	free(found);
}

#define NATIVE(function, place, module) {function, place, module, "", KSMALLOC_LANGUAGE_NATIVE}
#define PYTHON(function, place) {function, place, "", "", KSMALLOC_LANGUAGE_PYTHON}

Test(naming, test_functions, .init = create, .fini = destroy)
{
	struct ksr_line plain[] = {NATIVE("malloc", "", "libc.so.6"), NATIVE("load", "/src/a.c:3", "app"),
					 NATIVE("main", "/src/a.c:9", "app")};
	struct ksr_line rust[] = {NATIVE("__rust_realloc", "", "app"), NATIVE("alloc::raw_vec::finish_grow", "", "app"),
					NATIVE("alloc::vec::Vec::push", "", "app"), NATIVE("app::read_rows", "/src/main.rs:3", "app"),
					NATIVE("app::main", "/src/main.rs:9", "app")};
	struct ksr_line stripped[] = {NATIVE("python3.11+0x4d0c9d", "", "python3.11"),
					    NATIVE("PyBytes_FromStringAndSize", "", "python3.11"),
					    NATIVE("python3.11+0x4d0000", "", "python3.11")};
	struct ksr_line inner[] = {NATIVE("python3.11+0x610d99", "", "python3.11"), NATIVE("_PyObject_GC_New", "", "python3.11"),
				   NATIVE("PyDict_New", "", "python3.11"), NATIVE("_json.so+0x6069", "", "_json.so"),
				   NATIVE("_PyObject_MakeTpCall", "", "python3.11")};
	struct ksr_line own[] = {NATIVE("malloc", "", "libc.so.6"), NATIVE("app+0x10", "", "app"), NATIVE("main", "", "app")};
	struct ksr_line all[] = {NATIVE("malloc", "", "libc.so.6"), NATIVE("std::thread::run", "", "app")};

	expect_stack(plain, 3, "load (a.c:3) < main", NULL);
	expect_stack(rust, 5, "app::read_rows (main.rs:3) < app::main", "vector");
	expect_stack(stripped, 3, "PyBytes_FromStringAndSize < python3.11+0x4d0000", "bytes");
	expect_stack(stripped + 1, 2, "PyBytes_FromStringAndSize < python3.11+0x4d0000", "bytes");
	expect_stack(inner, 5, "_json.so+0x6069 < _PyObject_MakeTpCall", "dictionary");
	expect_stack(own, 3, "app+0x10 < main", NULL);
	expect_stack(all, 2, "std::thread::run", NULL);
	expect_stack(all, 0, "unknown", NULL);
}

Test(naming, test_scripts, .init = create, .fini = destroy)
{
	struct ksr_line json[] = {PYTHON("raw_decode", "/usr/lib/python3.11/json/decoder.py:353"),
					PYTHON("load", "/usr/lib/python3.11/json/__init__.py:293"),
					PYTHON("load_table", "/srv/app.py:12"),
					PYTHON("<module>", "/srv/app.py:20"),
					NATIVE("malloc", "", "libc.so.6"), NATIVE("list_resize", "", "python3.11"),
					NATIVE("scan_once", "json.c:3", "_json.so")};

	expect_stack(json, 7, "load_table (app.py:12) > json.decoder.raw_decode", "list");
	/* Nothing of the program's own. */
	expect_stack(json, 2, "json.decoder.raw_decode (decoder.py:353)", NULL);
	expect_stack(json + 1, 1, "json.load (__init__.py:293)", NULL);
	expect_stack(json + 2, 1, "load_table (app.py:12)", NULL);
}
