// SPDX-License-Identifier: BSD-2-Clause
// All forms of new and delete come from the library, aligned ones included, and bad_alloc is thrown.
#include "test.h"

#include <cstdint>
#include <new>
#include <string>
#include <vector>

struct alignas(256) Wide {
	char bytes[20000];
};

static void aligned_forms()
{
	for (int i = 0; i < 100; i++) {
		auto *one = new Wide;
		auto *many = new Wide[3];

		CHECK(reinterpret_cast<uintptr_t>(one) % 256 == 0);
		CHECK(reinterpret_cast<uintptr_t>(many) % 256 == 0);
		delete one;
		delete[] many;
		void *raw = ::operator new(100000, std::align_val_t{1 << 16});

		CHECK(reinterpret_cast<uintptr_t>(raw) % (1 << 16) == 0);
		::operator delete(raw, 100000, std::align_val_t{1 << 16});
	}
}

int main()
{
	volatile size_t huge = PTRDIFF_MAX;
	bool thrown = false;

	aligned_forms();
	try {
		CHECK(::operator new(huge) == nullptr);
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	CHECK(thrown);
	CHECK(::operator new(huge, std::nothrow) == nullptr);

	std::vector<std::string> strings;
	for (size_t i = 0; i < 200; i++)
		strings.emplace_back(20000 + i, static_cast<char>('a' + i % 26));
	for (size_t i = 0; i < 200; i++)
		CHECK(strings[i].size() == 20000 + i && strings[i].back() == static_cast<char>('a' + i % 26));
	// The strings' blocks are the library's own.
	CHECK(test_is_placed(strings[199].data()));
	return 0;
}
