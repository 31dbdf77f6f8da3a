/* SPDX-License-Identifier: BSD-2-Clause */
/* A label by its id is the label by its name, nests with others, and costs a few nanoseconds; what is no id is none. */
#include "test.h"

int main(void)
{
	int outer = ksmalloc_label_id("outer"), inner = ksmalloc_label_id("inner");
	uint64_t ids[6];

	CHECK(outer > 0 && inner > 0 && outer != inner);
	CHECK(ksmalloc_label_id("outer") == outer);
	CHECK(ksmalloc_label_id(NULL) == -EINVAL && ksmalloc_label_id("") == -EINVAL);
	for (size_t i = test_opaque(0); i < 6; i++) {
		if (i == 1)
			CHECK(ksmalloc_label_begin_id(outer) == 0);
		if (i == 2)
			CHECK(ksmalloc_label_begin_id(inner) == 0);
		if (i == 4)
			CHECK(ksmalloc_label_begin("outer") == 0);
		ids[i] = test_current_site();
		if (i == 2 || i == 3 || i == 4)
			ksmalloc_label_end();
	}
	CHECK(ids[0] && ids[1] && ids[2] && ids[0] != ids[1] && ids[1] != ids[2]);
	CHECK(ids[3] == ids[1] && ids[4] == ids[1] && ids[5] == ids[0]);

	CHECK(ksmalloc_label_begin_id(0) == -EINVAL);
	CHECK(ksmalloc_label_begin_id(-ENOMEM) == -EINVAL);
	CHECK(ksmalloc_label_begin_id(1 << 30) == -EINVAL);
	/* A site that is a call stack, of which there is one by now, is no label. */
	for (int id = 1, refused = 0; id < 64 && refused == 0; id++) {
		if (ksmalloc_label_begin_id(id) == 0)
			ksmalloc_label_end();
		else
			refused = id;
		CHECK(id < 63);
	}
	for (int i = 0; i < 16; i++)
		CHECK(ksmalloc_label_begin_id(inner) == 0);
	CHECK(ksmalloc_label_begin_id(outer) == -E2BIG);
	ksmalloc_label_end();
	CHECK(test_current_site() == ids[2]);
	return 0;
}
