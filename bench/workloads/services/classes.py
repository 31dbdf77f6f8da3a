# SPDX-License-Identifier: BSD-2-Clause
"""classes.py FOLDER COUNT: PHP classes as a framework has them, one a file, of about 10 KB each."""

import pathlib
import sys

folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir()


def method(number, place):
    return f"""
    /** Finds what is registered for a key, or the default of the service {number}. */
    public function find{place}(string $key, array $options = ['limit' => {place}, 'cache' => true]): array
    {{
        $result = ['service' => 'service.{number}', 'key' => $key, 'place' => {place}];
        foreach ($options as $name => $value) {{
            if ($name === 'limit' && $value > {place + number}) {{
                throw new \\InvalidArgumentException("limit of service {number} is {place + number}");
            }}
            $result[$name . '_{place}'] = $value;
        }}
        $this->entries['{number}.{place}.' . $key] = $result;
        return $result;
    }}
"""


for number in range(count):
    body = "".join(method(number, place) for place in range(13))
    table = "".join(f"        'route_{number}_{place}' => ['GET', '/area{number}/page{place}', {place}],\n"
                    for place in range(20))
    (folder / f"Service{number}.php").write_text(
        f"<?php\nnamespace App;\n\nclass Service{number}\n{{\n    private array $entries = [];\n"
        f"    public const ROUTES = [\n{table}    ];\n{body}}}\n", encoding="ascii")
