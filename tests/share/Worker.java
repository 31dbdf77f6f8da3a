// SPDX-License-Identifier: BSD-2-Clause
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;

/**
 * Loads data, and for each line of standard input renews half of it for so many seconds, collects garbage, and compares all of
 * it with what it should be; says how much was wrong.
 */
final class Worker {
	private static final int N = 250000;

	private record Item(int id, String name, double value) {
	}

	private final Map<Integer, Item> items = new HashMap<>();
	private final int[] version = new int[N];

	private void fill(int i) {
		items.put(i, new Item(i, "record " + i + " of " + version[i], i * 1.5 + version[i]));
	}

	private int wrong() {
		int count = 0;
		for (int i = 0; i < N; i++) {
			Item item = items.get(i);
			boolean right = item.id == i && item.name.equals("record " + i + " of " + version[i])
					&& item.value == i * 1.5 + version[i];
			count += right ? 0 : 1;
		}
		return count;
	}

	private void renew() {
		for (int i = 0; i < N; i += 2) {
			version[i]++;
			fill(i);
		}
		System.gc();
	}

	public static void main(String[] arguments) throws IOException {
		Worker worker = new Worker();
		for (int i = 0; i < N; i++) {
			worker.fill(i);
		}
		System.gc();
		System.out.println("ready");
		BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
		for (String line = input.readLine(); line != null; line = input.readLine()) {
			String[] words = line.trim().split(" ");
			long end = System.currentTimeMillis() + (words.length > 1 ? 1000 * Long.parseLong(words[1]) : 0);
			int count = worker.wrong();
			while (System.currentTimeMillis() < end) {
				worker.renew();
				count += worker.wrong();
			}
			System.out.println(count);
		}
	}
}
