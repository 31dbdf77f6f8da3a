/* SPDX-License-Identifier: BSD-2-Clause */
/* _arguments of zsh does the work: this writes its specifications. */
#include "completion/zsh.h"

#include <string.h>

#include "completion/words.h"

/* A sentence inside of '--option[sentence]' and of quotes. */
static void write_sentence(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* ":message:action" behind an option or an argument. */
static void write_action(enum ksr_words words, const char *fixed)
{
	static const char *const actions[] = {
		[KSR_WORDS_ANY] = ":value: ",
		[KSR_WORDS_GROUP] = ":group:_ksmalloc_groups",
		[KSR_WORDS_PROCESS] = ":process:_ksmalloc_processes",
		[KSR_WORDS_BOTH] = ":process or group:_ksmalloc_members",
		[KSR_WORDS_UNIT] = ":unit:_ksmalloc_units",
		[KSR_WORDS_FILE] = ":file:_files",
		[KSR_WORDS_FOLDER] = ":folder:_files -/",
	};

	if (words == KSR_WORDS_FIXED)
		printf(":value:(%s)", fixed);
	else if (words != KSR_WORDS_NONE && words != KSR_WORDS_PROGRAM)
		fputs(actions[words], stdout);
}

static void write_command(const struct ksr_command *command)
{
	char fixed[KSR_WORDS_BYTES];
	enum ksr_words words;

	printf("_ksmalloc_command_%s() {\n\t_arguments -S -s \\\n", command->name);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct ksr_option *option = &command->options[i];

		words = ksr_words_of_option(command, option, fixed);
		printf("\t\t'*--%s%s[", option->name,
		       words == KSR_WORDS_NONE ? "" : ksr_words_are_optional(option) ? "=-" : "=");
		write_sentence(option->help);
		fputs(ksr_words_are_optional(option) ? "]:" : "]", stdout);
		write_action(words, fixed);
		fputs("' \\\n", stdout);
	}
	fputs("\t\t'(- *)'{-h,--help}'[Show a summary and exit.]' \\\n"
	      "\t\t'(- *)'{-V,--version}'[Show the version and exit.]'", stdout);
	words = ksr_words_of_arguments(command, fixed);
	if (words == KSR_WORDS_PROGRAM)
		fputs(" \\\n\t\t'(-):program: _command_names -e' \\\n\t\t'*::arguments: _normal'", stdout);
	else if (words != KSR_WORDS_NONE) {
		fputs(" \\\n\t\t'*", stdout);
		write_action(words, fixed);
		fputs("'", stdout);
	}
	fputs("\n}\n\n", stdout);
}

static const char running[] =
	"_ksmalloc_groups() {\n"
	"\tlocal -a groups=(${(f)\"$(_call_program groups $_ksmalloc completion --running groups)\"})\n"
	"\t_describe group groups\n"
	"}\n\n"
	"_ksmalloc_processes() {\n"
	"\tlocal -a processes=(${${(f)\"$(_call_program processes $_ksmalloc completion --running processes)\"}/$'\\t'/:})\n"
	"\t_describe process processes\n"
	"}\n\n"
	"_ksmalloc_members() {\n"
	"\t_alternative 'groups:group:_ksmalloc_groups' 'processes:process:_ksmalloc_processes'\n"
	"}\n\n"
	"_ksmalloc_units() {\n"
	"\tlocal -a units=(${${(f)\"$(_call_program units systemctl list-unit-files --type=service --no-legend --no-pager)\"}%%[[:space:]]*})\n"
	"\t_describe unit units\n"
	"}\n\n";

static const char function[] =
	"_ksmalloc() {\n"
	"\tlocal curcontext=$curcontext state line _ksmalloc=$words[1]\n"
	"\ttypeset -A opt_args\n"
	"\t_arguments -C '(- *)'{-h,--help}'[List the commands.]' '(- *)'{-V,--version}'[Show the version.]' \\\n"
	"\t\t'1:command:_ksmalloc_commands' '*::argument:->rest'\n"
	"\t[[ $state == rest ]] || return 0\n"
	"\tif [[ $line[1] == help ]]; then\n"
	"\t\t_arguments '1:command:_ksmalloc_commands'\n"
	"\telif (( $+functions[_ksmalloc_command_$line[1]] )); then\n"
	"\t\tcurcontext=${curcontext%:*}-$line[1]:\n"
	"\t\t_ksmalloc_command_$line[1]\n"
	"\tfi\n"
	"}\n\n"
	"if [[ $funcstack[1] == _ksmalloc ]]; then\n\t_ksmalloc \"$@\"\nelse\n\tcompdef _ksmalloc ksmalloc\nfi\n";

void ksr_completion_zsh(const struct ksr_command *const *commands)
{
	fputs("#compdef ksmalloc\n# SPDX-License-Identifier: BSD-2-Clause\n"
	      "# zsh completion for ksmalloc, written by 'ksmalloc completion zsh'.\n\n", stdout);
	fputs(running, stdout);
	for (size_t i = 0; commands[i]; i++)
		write_command(commands[i]);
	fputs("_ksmalloc_commands() {\n\tlocal -a commands=(\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		printf("\t\t'%s:", commands[i]->name);
		write_sentence(commands[i]->summary);
		fputs("'\n", stdout);
	}
	fputs("\t\t'help:Explain a command'\n\t)\n\t_describe command commands\n}\n\n", stdout);
	fputs(function, stdout);
}
