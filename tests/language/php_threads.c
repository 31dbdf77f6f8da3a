/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PHP with threads (ZTS) in a program: threads that run requests, come and go, and one that keeps what it has made;
 * then the first thread. tests/language/fetch-interpreters builds it, since no package has such a PHP.
 */
#include <sapi/embed/php_embed.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS	 4
#define ROUNDS	 10
#define REQUESTS 20

ZEND_TSRMLS_CACHE_DEFINE()

static void execute(const char *code, const char *file)
{
	char copy[1000];

	snprintf(copy, sizeof(copy), "%s", code);
	zend_first_try
	{
		zend_eval_string(copy, NULL, file);
	}
	zend_end_try();
}

/* With an argument it leaves after its first request, with all that it has. */
static void *run(void *stays)
{
	static const char code[] = "function in_thread() { $a = []; for ($i = 0; $i < 20000; $i++) $a[] = \"v $i\";\n"
				   "return [$a, str_repeat('x', 1000000)]; } $kept = in_thread();";

	ts_resource(0);
	ZEND_TSRMLS_CACHE_UPDATE();
	for (int i = 0; i < REQUESTS; i++) {
		if (php_request_startup() != SUCCESS)
			_exit(1);
		execute(code, "thread.php");
		if (stays)
			return NULL;
		php_request_shutdown(NULL);
	}
	ts_free_thread();
	return NULL;
}

int main(int argc, char **argv)
{
	static char stays;
	pthread_t threads[THREADS];

	php_embed_init(argc, argv);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, run, NULL);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	pthread_create(&threads[0], NULL, run, &stays);
	pthread_join(threads[0], NULL);
	ZEND_TSRMLS_CACHE_UPDATE();
	execute("function in_main() { return str_repeat('y', 5000000); } $kept = in_main();", "main.php");
	puts("ready");
	fflush(stdout);
	getchar();
	exit(0);
}
