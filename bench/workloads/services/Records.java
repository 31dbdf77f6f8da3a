// SPDX-License-Identifier: BSD-2-Clause
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/** Records PORT: an HTTP server with 50,000 records from a file of lines, and four threads. */
final class Records {
	private static final int PART = 200;

	private record Address(String street, int number, String city) {
	}

	private record User(int id, String name, String email, List<String> tags, double score, Address address) {
		static User of(String line) {
			String[] words = line.split("\t");
			return new User(Integer.parseInt(words[0]), words[1], words[2], List.of(words[3], words[4]),
					Double.parseDouble(words[5]), new Address(words[6], Integer.parseInt(words[7]), words[8]));
		}
	}

	private final List<User> users = new ArrayList<>();

	private Records(Path file) throws IOException {
		for (String line : Files.readAllLines(file)) {
			users.add(User.of(line));
		}
	}

	private void answer(HttpExchange exchange) throws IOException {
		String query = exchange.getRequestURI().getQuery();
		int number = Integer.parseInt(query.substring("n=".length()));
		StringBuilder part = new StringBuilder();
		for (int step = 0; step < PART; step++) {
			part.append(users.get((int) (((long) number * 7919 + step) % users.size())));
		}
		byte[] body = String.format("{\"pid\": %d, \"loaded\": %d, \"length\": %d}", ProcessHandle.current().pid(),
				users.size(), part.length()).getBytes(StandardCharsets.US_ASCII);
		exchange.getResponseHeaders().set("Content-Type", "application/json");
		exchange.sendResponseHeaders(200, body.length);
		exchange.getResponseBody().write(body);
		exchange.close();
	}

	public static void main(String[] arguments) throws IOException {
		Records records = new Records(Path.of(System.getenv("SERVICE_DATA"), "records.tsv"));
		HttpServer server = HttpServer.create(
				new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
		server.createContext("/", records::answer);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.start();
	}
}
