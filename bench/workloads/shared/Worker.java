// SPDX-License-Identifier: BSD-2-Clause
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Worker COUNT BLOCKS TIMES: builds a map of COUNT objects with lists, and fills arrays of 64 KiB,
 * so many times; says "ready" and waits for the end of input.
 */
final class Worker {
	private static final int BLOCK = 65536;

	private static final class Item {
		final int id;
		final String name;
		final List<String> tags = new ArrayList<>();
		final double score;

		Item(int id, int count, Random random) {
			this.id = id;
			name = "user " + (long) id * 7919 % count;
			tags.add("tag " + random.nextInt(1000));
			tags.add("tag " + random.nextInt(1000));
			score = random.nextInt(1 << 20) / 8.0;
		}
	}

	private final Map<String, Item> items = new HashMap<>();
	private final List<byte[]> blocks = new ArrayList<>();

	private Worker(int count, int number) {
		Random random = new Random(3);
		for (int i = 0; i < count; i++) {
			items.put("key " + i, new Item(i, count, random));
		}
		for (int i = 0; i < number; i++) {
			byte[] block = new byte[BLOCK];
			random.nextBytes(block);
			blocks.add(block);
		}
	}

	public static void main(String[] arguments) throws IOException {
		int count = Integer.parseInt(arguments[0]);
		int number = Integer.parseInt(arguments[1]);
		int times = Integer.parseInt(arguments[2]);
		Worker worker = null;
		for (int i = 0; i < times; i++) {
			worker = null;
			worker = new Worker(count, number);
		}
		System.out.println("ready");
		while (System.in.read() >= 0) {
		}
		if (worker.items.size() != count || worker.items.get("key 0").id != 0
				|| worker.blocks.size() != number) {
			throw new IllegalStateException("the objects are wrong");
		}
	}
}
