/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/form.h"

#include <errno.h>

#include "show/folded.h"
#include "show/openmetrics.h"
#include "show/page.h"
#include "show/pprof.h"
#include "show/speedscope.h"

static const struct form {
	int (*write)(const struct ksr_scene *scene, FILE *output);
	bool binary;
} forms[KSR_FORMAT_COUNT] = {
	[KSR_FORMAT_HTML] = {ksr_page_write, false},
	[KSR_FORMAT_FOLDED] = {ksr_folded_write, false},
	[KSR_FORMAT_SPEEDSCOPE] = {ksr_speedscope_write, false},
	[KSR_FORMAT_PPROF] = {ksr_pprof_write, true},
	[KSR_FORMAT_OPENMETRICS] = {ksr_openmetrics_write, false},
};

bool ksr_form_is_picture(enum ksr_format format)
{
	return forms[format].write != NULL;
}

bool ksr_form_is_binary(enum ksr_format format)
{
	return forms[format].binary;
}

int ksr_form_write(enum ksr_format format, const struct ksr_scene *scene, FILE *output)
{
	int error = forms[format].write(scene, output);

	if (!error && (fflush(output) || ferror(output)))
		error = errno ? -errno : -EIO;
	return error;
}
