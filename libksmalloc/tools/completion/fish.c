/* SPDX-License-Identifier: BSD-2-Clause */
/* fish has one line for each option; what they need to know is the second word of the command line. */
#include "completion/fish.h"

#include "completion/words.h"

/* In quotes of fish only these two have to be told. */
static void write_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void write_action(enum ksr_words words, const char *fixed)
{
	static const char *const actions[] = {
		[KSR_WORDS_GROUP] = "(__ksmalloc_running groups)",
		[KSR_WORDS_PROCESS] = "(__ksmalloc_running processes)",
		[KSR_WORDS_BOTH] = "(__ksmalloc_running groups) (__ksmalloc_running processes)",
		[KSR_WORDS_UNIT] = "(__ksmalloc_units)",
		[KSR_WORDS_FOLDER] = "(__fish_complete_directories (commandline -ct))",
		[KSR_WORDS_PROGRAM] = "(__ksmalloc_program)",
	};

	if (words == KSR_WORDS_FILE)
		fputs(" -F", stdout);
	else if (words == KSR_WORDS_FIXED)
		printf(" -a '%s'", fixed);
	else if (words != KSR_WORDS_NONE && words != KSR_WORDS_ANY)
		printf(" -a '%s'", actions[words]);
}

static void write_option(const struct ksr_command *command, const struct ksr_option *option)
{
	char fixed[KSR_WORDS_BYTES];
	enum ksr_words words = ksr_words_of_option(command, option, fixed);

	printf("complete -c ksmalloc -n '__ksmalloc_is %s' -l %s -d ", command->name, option->name);
	write_quoted(option->help);
	/* -r: a value has to follow, in this word or the next one. */
	if (words != KSR_WORDS_NONE && !ksr_words_are_optional(option))
		fputs(" -r", stdout);
	write_action(words, fixed);
	putchar('\n');
}

static const char functions[] =
	"function __ksmalloc_is -d 'Is this the command on the line?'\n"
	"    set -l words (commandline -opc)\n"
	"    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
	"end\n\n"
	"function __ksmalloc_none -d 'Is there no command yet?'\n"
	"    test (count (commandline -opc)) -eq 1\n"
	"end\n\n"
	"function __ksmalloc_running\n"
	"    set -l words (commandline -opc)\n"
	"    $words[1] completion --running $argv[1] 2>/dev/null\n"
	"end\n\n"
	"function __ksmalloc_units\n"
	"    systemctl list-unit-files --type=service --no-legend --no-pager 2>/dev/null | string replace -r '\\s.*' ''\n"
	"end\n\n"
	"function __ksmalloc_program -d 'The program behind ksmalloc run, or its arguments'\n"
	"    set -l words (commandline -opc) (commandline -ct)\n"
	"    set -l at (contains -i -- -- $words[3..-2]; or echo 0)\n"
	"    set -l first (math 3 + $at)\n"
	"    complete -C \"$words[$first..-1]\"\n"
	"end\n\n"
	"complete -c ksmalloc -f\n";

void ksr_completion_fish(const struct ksr_command *const *commands)
{
	char fixed[KSR_WORDS_BYTES];

	fputs("# SPDX-License-Identifier: BSD-2-Clause\n"
	      "# fish completion for ksmalloc, written by 'ksmalloc completion fish'.\n\n", stdout);
	fputs(functions, stdout);
	for (size_t i = 0; commands[i]; i++) {
		const struct ksr_command *command = commands[i];
		enum ksr_words words = ksr_words_of_arguments(command, fixed);

		printf("complete -c ksmalloc -n __ksmalloc_none -a %s -d ", command->name);
		write_quoted(command->summary);
		printf("\ncomplete -c ksmalloc -n '__ksmalloc_is help' -a %s\n", command->name);
		for (size_t k = 0; k < command->option_count; k++)
			write_option(command, &command->options[k]);
		if (words != KSR_WORDS_NONE && words != KSR_WORDS_ANY) {
			printf("complete -c ksmalloc -n '__ksmalloc_is %s'", command->name);
			write_action(words, fixed);
			putchar('\n');
		}
	}
	fputs("complete -c ksmalloc -n __ksmalloc_none -a help -d 'Explain a command'\n"
	      "complete -c ksmalloc -s h -l help -d 'Show a summary and exit.'\n"
	      "complete -c ksmalloc -s V -l version -d 'Show the version and exit.'\n", stdout);
}
