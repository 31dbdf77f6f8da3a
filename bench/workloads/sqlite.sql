-- SPDX-License-Identifier: BSD-2-Clause
-- A table of 600,000 rows in memory: bulk insert, two indexes, queries, a bulk update.
CREATE TABLE event (id INTEGER PRIMARY KEY, user INTEGER, kind TEXT, amount REAL, note TEXT);
INSERT INTO event
WITH RECURSIVE counter(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 600000)
SELECT n, (n * 7919) % 20011, 'kind ' || (n % 23), n * 0.25, 'note for event number ' || n
FROM counter;
CREATE INDEX event_user ON event (user);
CREATE INDEX event_kind ON event (kind, amount);
SELECT kind, count(*), sum(amount) FROM event GROUP BY kind ORDER BY 3 DESC LIMIT 3;
SELECT count(*) FROM event a JOIN event b ON a.user = b.user WHERE a.id <= 5000 AND b.id % 10 = 0;
UPDATE event SET note = note || ' (seen)' WHERE id % 5 = 0;
SELECT count(*), sum(length(note)) FROM event;
