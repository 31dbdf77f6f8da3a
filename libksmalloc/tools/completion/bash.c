/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The script is three tables and one function that reads them. It needs bash alone; where the package
 * bash-completion is there too, the program behind `ksmalloc run` has its own completion.
 */
#include "completion/bash.h"

#include "completion/words.h"

/* What the function asks for when it has found out which kind of word stands here. */
static const char *action(enum ksr_words words)
{
	static const char *const actions[] = {
		[KSR_WORDS_NONE] = "",	      [KSR_WORDS_ANY] = "any",	      [KSR_WORDS_FIXED] = "fixed",
		[KSR_WORDS_GROUP] = "groups", [KSR_WORDS_PROCESS] = "processes", [KSR_WORDS_BOTH] = "both",
		[KSR_WORDS_UNIT] = "units",   [KSR_WORDS_FILE] = "files",     [KSR_WORDS_FOLDER] = "folders",
		[KSR_WORDS_PROGRAM] = "program",
	};

	return actions[words];
}

static void write_tables(const struct ksr_command *const *commands)
{
	char fixed[KSR_WORDS_BYTES];

	fputs("_ksmalloc_options() {\n\tcase $1 in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		printf("\t%s) echo '", commands[i]->name);
		for (size_t k = 0; k < commands[i]->option_count; k++)
			printf("--%s ", commands[i]->options[k].name);
		fputs("--help --version' ;;\n", stdout);
	}
	fputs("\tesac\n}\n\n# What the value of an option is; optional ones stand behind a '='.\n"
	      "_ksmalloc_value() {\n\tcase $1$2 in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		for (size_t k = 0; k < commands[i]->option_count; k++) {
			const struct ksr_option *option = &commands[i]->options[k];
			enum ksr_words words = ksr_words_of_option(commands[i], option, fixed);

			if (words != KSR_WORDS_NONE)
				printf("\t%s--%s) echo '%s%s%s%s' ;;\n", commands[i]->name, option->name,
				       ksr_words_are_optional(option) ? "optional " : "", action(words),
				       fixed[0] ? " " : "", fixed);
		}
	}
	fputs("\tesac\n}\n\n_ksmalloc_arguments() {\n\tcase $1 in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		enum ksr_words words = ksr_words_of_arguments(commands[i], fixed);

		if (words != KSR_WORDS_NONE)
			printf("\t%s) echo '%s%s%s' ;;\n", commands[i]->name, action(words), fixed[0] ? " " : "", fixed);
	}
	fputs("\thelp) echo 'fixed", stdout);
	for (size_t i = 0; commands[i]; i++)
		printf(" %s", commands[i]->name);
	fputs("' ;;\n\tesac\n}\n\n", stdout);
}

static const char functions[] =
	"# _ksmalloc_reply WORD KIND [WORD...]: sets the answers.\n"
	"_ksmalloc_reply() {\n"
	"\tlocal current=$1 kind=$2 words='' word\n"
	"\tshift 2\n"
	"\tcase $kind in\n"
	"\tfixed) words=$* ;;\n"
	"\tgroups) words=$(command \"$_ksmalloc_command\" completion --running groups 2>/dev/null) ;;\n"
	"\tprocesses) words=$(command \"$_ksmalloc_command\" completion --running processes 2>/dev/null | cut -f1) ;;\n"
	"\tboth) words=$(command \"$_ksmalloc_command\" completion --running groups 2>/dev/null\n"
	"\t\tcommand \"$_ksmalloc_command\" completion --running processes 2>/dev/null | cut -f1) ;;\n"
	"\tunits) words=$(systemctl list-unit-files --type=service --no-legend --no-pager 2>/dev/null |\n"
	"\t\tsed 's/[[:space:]].*//') ;;\n"
	"\tfiles) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n"
	"\tfolders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$current\"); return ;;\n"
	"\tprogram) mapfile -t COMPREPLY < <(compgen -c -- \"$current\"); return ;;\n"
	"\tesac\n"
	"\t# Not compgen -W: it executes what words have in them.\n"
	"\twhile IFS= read -r word; do\n"
	"\t\t[[ $word && $word == \"$current\"* ]] && COMPREPLY+=(\"$word\")\n"
	"\tdone <<<\"${words// /$'\\n'}\"\n"
	"}\n"
	"\n"
	"_ksmalloc() {\n"
	"\tlocal _ksmalloc_command=${COMP_WORDS[0]} name=${COMP_WORDS[1]-} current=${COMP_WORDS[COMP_CWORD]} at value\n"
	"\tCOMPREPLY=()\n"
	"\tif ((COMP_CWORD == 1)); then\n"
	"\t\t_ksmalloc_reply \"$current\" fixed \"$(_ksmalloc_arguments help | sed 's/^fixed //') help --help --version\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t# Of a word with a '=' bash has made three.\n"
	"\tfor ((at = 2; at < COMP_CWORD; at++)); do\n"
	"\t\tcase ${COMP_WORDS[at]} in\n"
	"\t\t--) at=$((at + 1)); break ;;\n"
	"\t\t--*)\n"
	"\t\t\tvalue=$(_ksmalloc_value \"$name\" \"${COMP_WORDS[at]}\")\n"
	"\t\t\tif [[ ${COMP_WORDS[at + 1]-} == = ]]; then\n"
	"\t\t\t\tat=$((at + 2))\n"
	"\t\t\t\tvalue=${value#optional }\n"
	"\t\t\t\tif ((at > COMP_CWORD)); then\n"
	"\t\t\t\t\tcurrent=''\n"
	"\t\t\t\t\tat=$COMP_CWORD\n"
	"\t\t\t\tfi\n"
	"\t\t\telif [[ $value && $value != optional* ]]; then\n"
	"\t\t\t\tat=$((at + 1))\n"
	"\t\t\telse\n"
	"\t\t\t\tcontinue\n"
	"\t\t\tfi\n"
	"\t\t\tif ((at == COMP_CWORD)); then\n"
	"\t\t\t\t# shellcheck disable=SC2086 # a kind and words\n"
	"\t\t\t\t_ksmalloc_reply \"$current\" $value\n"
	"\t\t\t\treturn\n"
	"\t\t\tfi\n"
	"\t\t\t;;\n"
	"\t\t*) break ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\tvalue=$(_ksmalloc_arguments \"$name\")\n"
	"\tif [[ $value == program && $at -le $COMP_CWORD && $current != -* || $value == program && $at -lt $COMP_CWORD ]]; then\n"
	"\t\tif ((at < COMP_CWORD)) && declare -F _command_offset >/dev/null; then\n"
	"\t\t\t_command_offset \"$at\"\n"
	"\t\telif ((at < COMP_CWORD)); then\n"
	"\t\t\t_ksmalloc_reply \"$current\" files\n"
	"\t\telse\n"
	"\t\t\t_ksmalloc_reply \"$current\" program\n"
	"\t\tfi\n"
	"\telif [[ $current == -* ]]; then\n"
	"\t\t_ksmalloc_reply \"$current\" fixed \"$(_ksmalloc_options \"$name\")\"\n"
	"\telse\n"
	"\t\t# shellcheck disable=SC2086 # a kind and words\n"
	"\t\t_ksmalloc_reply \"$current\" ${value:-any}\n"
	"\tfi\n"
	"}\n"
	"complete -F _ksmalloc ksmalloc\n";

void ksr_completion_bash(const struct ksr_command *const *commands)
{
	fputs("# SPDX-License-Identifier: BSD-2-Clause\n"
	      "# bash completion for ksmalloc, written by 'ksmalloc completion bash'.\n\n", stdout);
	write_tables(commands);
	fputs(functions, stdout);
}
