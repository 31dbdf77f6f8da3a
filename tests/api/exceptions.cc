// SPDX-License-Identifier: BSD-2-Clause
// Exceptions pass through frames that allocate, also where the library walked the same stack before.
#include "test.h"

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

struct Guard {
	explicit Guard(int &counter) : counter_(counter) { counter_++; }
	~Guard() { counter_--; }
	int &counter_;
};

static TEST_NOINLINE void thrower(int depth, int &alive)
{
	Guard guard(alive);
	std::unique_ptr<char[]> block(new char[20000 + static_cast<size_t>(depth)]);

	memset(block.get(), depth, 20000);
	if (depth == 0) {
		// A large exception object is a block of the allocator, too.
		throw std::runtime_error(std::string(40000, 'x'));
	}
	try {
		thrower(depth - 1, alive);
	} catch (const std::logic_error &) {
		CHECK(!"caught by the wrong type");
	}
}

static void many()
{
	int alive = 0;

	for (int i = 0; i < 300; i++) {
		bool caught = false;

		try {
			thrower(i % 40, alive);
		} catch (const std::runtime_error &error) {
			caught = strlen(error.what()) == 40000;
		}
		CHECK(caught);
		CHECK(alive == 0);
	}
}

int main()
{
	std::vector<std::thread> threads;

	many();
	for (int i = 0; i < 4; i++)
		threads.emplace_back(many);
	for (auto &thread : threads)
		thread.join();
	return 0;
}
