/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Node has no way to call C by name, so ksmalloc_label.js needs this addon: begin(name) and end(). It needs neither a library to
 * be linked with nor node-gyp:
 *
 *     cc -shared -fPIC -I/usr/include/node -o ksmalloc_label.node addon.c
 */
#include <ksmalloc/embed.h>

#include <node_api.h>

static napi_value begin(napi_env env, napi_callback_info info)
{
	char name[65] = "";
	size_t count = 1, length;
	napi_value argument, result;
	int begun;

	napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
	napi_get_value_string_utf8(env, argument, name, sizeof(name), &length);
	begun = ksmalloc_embed_begin_name(name);
	napi_get_boolean(env, begun, &result);
	return result;
}

static napi_value end(napi_env env, napi_callback_info info)
{
	(void)env;
	(void)info;
	ksmalloc_embed_end(1);
	return NULL;
}

NAPI_MODULE_INIT()
{
	napi_value function;

	napi_create_function(env, "begin", NAPI_AUTO_LENGTH, begin, NULL, &function);
	napi_set_named_property(env, exports, "begin", function);
	napi_create_function(env, "end", NAPI_AUTO_LENGTH, end, NULL, &function);
	napi_set_named_property(env, exports, "end", function);
	return exports;
}
