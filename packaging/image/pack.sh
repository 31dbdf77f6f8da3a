# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What makes an image of a folder. packaging/image/build and packaging/kubernetes/build-image source it, and have `die`.

# choose_program [NAME]: sets $program to what builds images here.
choose_program() {
	program=${1:-$(type -P buildah >/dev/null && echo buildah || echo podman)}
	[[ $program == buildah || $program == podman ]] || die "--with is neither buildah nor podman, but '$program' (see --help)"
	type -P "$program" >/dev/null || die "no $program here: install buildah or podman"
}

# configure: sets $build to a build folder of $source for images, which is made if need be. Nothing in what is built there names a
# folder of this machine: the build-id would be another one, even where debug information is taken away.
configure() {
	local map
	build=$source/build/images
	# A path may have blanks: CMake and the shell that compiles both take the words apart.
	printf -v map '%q %q' "-ffile-prefix-map=$source=." "-ffile-prefix-map=$build=build"
	(cd "$source" && CFLAGS="${CFLAGS-} $map" CXXFLAGS="${CXXFLAGS-} $map" cmake --preset release -B "$build" >/dev/null)
}

# A storage of its own: nothing of it stays, and no image of the user's is touched. podman takes no long path.
make_storage() {
	work=$(mktemp -d /tmp/ksmalloc-image.XXXXXX)
	trap 'rm -rf "$work"' EXIT
	engine=("$program" --root "$work/storage" --runroot "$work/state" --storage-driver vfs)
	[[ $program != podman ]] || engine+=(--events-backend none)
}

# for_docker IMAGE ARCHIVE: puts a list into an archive of the OCI form by which Docker before 25 reads it, too: of the same files, under the
# name that Docker has for what podman calls localhost/NAME.
for_docker() {
	local manifest config layers
	manifest=$(tar -xOf "$2" index.json | sed -E 's/.*"digest":"sha256:([0-9a-f]{64})".*/\1/')
	manifest=$(tar -xOf "$2" "blobs/sha256/$manifest")
	config=$(sed -E 's/.*"config":\{[^}]*"digest":"sha256:([0-9a-f]{64})".*/\1/' <<<"$manifest")
	layers=$(sed -E 's/.*"layers":\[([^]]*)\].*/\1/' <<<"$manifest" | grep -oE '"digest":"sha256:[0-9a-f]{64}"' |
		sed -E 's|.*sha256:(.*)"|"blobs/sha256/\1"|' | paste -sd, -)
	[[ $config =~ ^[0-9a-f]{64}$ && $layers ]] || die "the archive $2 has no image as it was expected"
	printf '[{"Config":"blobs/sha256/%s","RepoTags":["%s"],"Layers":[%s]}]\n' "$config" "$1" "$layers" >"$work/manifest.json"
	tar --append --file="$2" --directory="$work" --owner=0 --group=0 --numeric-owner --mode=0644 --mtime="@$epoch" manifest.json
}

# pack NAME TAG FOLDER CONTAINERFILE ARCHIVE: writes the archive, and prints its line. $epoch is the time in it. The digest is the same
# with either program: no version of its own goes in, nor another history for one that keeps layers.
pack() {
	local image=localhost/$1:$2 digest size
	"${engine[@]}" build --quiet --isolation chroot --layers=false --identity-label=false --timestamp "$epoch" --format oci --tag "$image" \
		--label "org.opencontainers.image.version=$2" --label org.opencontainers.image.licenses=BSD-2-Clause \
		--file "$4" "$3" >/dev/null || die "the image $1 was not built"
	rm -f "$5"
	"${engine[@]}" push --quiet "$image" "oci-archive:$5:$image" || die "the image $1 was not written"
	for_docker "${image#localhost/}" "$5"
	digest=$(tar -xOf "$5" index.json | grep -o 'sha256:[0-9a-f]\{64\}')
	size=$(find "$3" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
	echo "$1:$2 $digest $size bytes"
}
