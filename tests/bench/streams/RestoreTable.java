// Kafka Streams bringing up its state on the topic of an intake shard, from an
// empty directory, as bench_kafka_replay has the shard do it. Prints one line
// for each run; the first run of each mode warms the JVM and is not printed.
//
// mode=rows: the same work. A global store with a processor of its own, which
// Streams restores by running the processor on the topic's records. It is the
// shard's replay: the fold over claims, the event parsed, Evolve, and the same
// rows (resource, parent, history, request, the two indexes of cases) under the
// same keys in one RocksDB, behind a record cache that coalesces. As many rows
// must come out as the shard has. It does less than the shard on the way: no
// index of timers, which ends empty, and no digest over the rows.
//
// mode=changelog: the same rows by the same processor in an ordinary task,
// restored from the changelog that Streams wrote while it processed the topic.
// Nothing is parsed, and what wrote the changelog is not measured.
//
// mode=last: far less work. A table whose source topic is its changelog
// (topology.optimization): the last record of each key, bytes never looked at.
//
// Usage: RestoreTable BOOTSTRAP TOPIC END ROUNDS MODES DIRECTORY

import aftercare.common.v1.Platform.PlatformFact;
import aftercare.common.v1.Rows.HandbookVersions;
import aftercare.common.v1.Rows.HistoryRow;
import aftercare.common.v1.Rows.ParentRow;
import aftercare.common.v1.Rows.RequestRow;
import aftercare.common.v1.Types.SlaClock;
import aftercare.intake.v1.Events.CaseResolved;
import aftercare.intake.v1.Events.FollowUpRecorded;
import aftercare.intake.v1.Events.IntakeEvent;
import aftercare.intake.v1.Resources.Case;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

public final class RestoreTable {
  private static final String STORE = "rows";
  private static final byte[] NOTHING = {};
  private static final int HISTORY_STRETCH = 32; // libs/shard/history_rows.h

  /** The shard's replay: libs/log/fold.cc, libs/shard/apply.cc, Evolve. */
  static final class Replay extends ContextualProcessor<byte[], byte[], Void, Void> {
    private record Pending(String parent, byte[] value, Headers headers) {}

    private KeyValueStore<Bytes, byte[]> rows;
    private final List<Pending> pending = new ArrayList<>();
    private long claim = -1;
    private long next = 0;

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      super.init(context);
      rows = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      Headers headers = record.headers();
      String claimText = null;
      String seqText = null;
      boolean more = false;
      boolean isClaim = false;
      for (Header header : headers) {
        switch (header.key()) {
          case "claim" -> claimText = text(header);
          case "seq" -> seqText = text(header);
          case "more" -> more = text(header).equals("1");
          case "claim_owner" -> isClaim = true;
          default -> {}
        }
      }
      if (isClaim) {
        pending.clear();
        claim = context().recordMetadata().orElseThrow().offset();
        next = 0;
        return;
      }
      if (claimText == null || seqText == null
          || Long.parseLong(claimText) != claim || Long.parseLong(seqText) != next) {
        return;
      }
      ++next;
      String parent = new String(record.key(), StandardCharsets.UTF_8);
      pending.add(new Pending(parent, record.value(), headers));
      if (more) return;
      for (Pending event : pending) apply(event);
      pending.clear();
    }

    private void apply(Pending stored) {
      String id = "";
      String subject = "";
      String actor = "";
      String requestId = "";
      String timeText = null;
      String recordTimeText = null;
      long revision = 0;
      long fingerprint = 0;
      for (Header header : stored.headers()) {
        switch (header.key()) {
          case "ce_id" -> id = text(header);
          case "ce_subject" -> subject = text(header);
          case "ce_time" -> timeText = text(header);
          case "ce_recordtime" -> recordTimeText = text(header);
          case "ce_sequence" -> revision = Long.parseLong(text(header));
          case "ce_actor" -> actor = text(header);
          case "ce_requestid" -> requestId = text(header);
          case "ce_fingerprint" -> fingerprint = Long.parseUnsignedLong(text(header), 16);
          default -> {}
        }
      }
      Timestamp time = timestamp(timeText);
      Timestamp recordTime =
          recordTimeText.equals(timeText) ? time : timestamp(recordTimeText);
      try {
        IntakeEvent event = IntakeEvent.parseFrom(stored.value());
        put("parent/" + stored.parent(), ParentRow.newBuilder().setRevision(revision).build().toByteArray());
        evolve(event, subject, time, revision);
        history(id, subject, actor, time, recordTime, revision, stored.value());
        if (!requestId.isEmpty()) {
          put("request/" + recordTime.getSeconds() / 86400 + "/" + stored.parent() + "|" + requestId,
              RequestRow.newBuilder().setFingerprint(fingerprint).setResource(subject)
                  .build().toByteArray());
        }
      } catch (InvalidProtocolBufferException e) {
        throw new IllegalStateException(e);
      }
    }

    private void history(String id, String subject, String actor, Timestamp time,
        Timestamp recordTime, long revision, byte[] event) throws InvalidProtocolBufferException {
      byte[] bytes = get("history/" + subject);
      HistoryRow.Builder row = HistoryRow.newBuilder();
      if (bytes != null) row.mergeFrom(bytes);
      if (row.getEntriesCount() == HISTORY_STRETCH) {
        long base = row.getBase();
        put("history/" + subject + "#" + base, row.build().toByteArray());
        row = HistoryRow.newBuilder().setBase(base + HISTORY_STRETCH);
      }
      row.addEntriesBuilder().setEventId(id).setOccurTime(time).setRecordTime(recordTime)
          .setActor(actor).setRevision(revision).setEvent(ByteString.copyFrom(event));
      put("history/" + subject, row.build().toByteArray());
    }

    private void evolve(IntakeEvent event, String subject, Timestamp time, long revision)
        throws InvalidProtocolBufferException {
      String etag = Long.toString(revision);
      switch (event.getFactCase()) {
        case PLATFORM -> {
          if (event.getPlatform().getFactCase() != PlatformFact.FactCase.HANDBOOK_APPLIED) return;
          HandbookVersions.Builder versions = HandbookVersions.newBuilder();
          byte[] bytes = get("handbook/" + subject);
          if (bytes != null) versions.mergeFrom(bytes);
          versions.addVersions(event.getPlatform().getHandbookApplied().getHandbook());
          put("handbook/" + subject, versions.build().toByteArray());
          return;
        }
        case CUSTOMER_REGISTERED -> {
          put("customer/" + subject, event.getCustomerRegistered().getCustomer().toBuilder()
              .setUpdateTime(time).setEtag(etag).build().toByteArray());
          return;
        }
        case CASE_OPENED -> {
          Case opened = event.getCaseOpened().getCase().toBuilder()
              .setStateTime(time).setUpdateTime(time).setEtag(etag).build();
          index(null, openKey(opened));
          index(null, dueKey(opened));
          put("case/" + subject, opened.toByteArray());
          return;
        }
        default -> {}
      }
      Case before = Case.parseFrom(get("case/" + subject));
      Case.Builder c = before.toBuilder();
      c.setUpdateTime(time).setEtag(etag);
      switch (event.getFactCase()) {
        case CASE_REPLIED -> {
          if (!event.getCaseReplied().getFromCustomer()) c.setReplied(true);
          putClocks(c, event.getCaseReplied().getClocksList());
        }
        case CASE_PAUSED -> {
          c.setState(Case.State.PAUSED).setStateTime(time);
          c.setPauseReason(event.getCasePaused().getReason());
          putClocks(c, event.getCasePaused().getClocksList());
        }
        case CASE_RESUMED -> {
          c.setState(Case.State.OPEN).setStateTime(time).clearPauseReason();
          putClocks(c, event.getCaseResumed().getClocksList());
        }
        case CASE_RESOLVED -> {
          CaseResolved fact = event.getCaseResolved();
          c.setState(Case.State.RESOLVED).setStateTime(time).clearPauseReason();
          c.setResolveTime(time).setResolution(fact.getResolution()).setResolvedBy(fact.getBy());
          c.clearSatisfaction().clearDissatisfied().clearFollowUpOverdue();
          c.clearFollowUpDueTime();
          if (fact.hasFollowUpDueTime()) c.setFollowUpDueTime(fact.getFollowUpDueTime());
          putClocks(c, fact.getClocksList());
        }
        case FOLLOW_UP_RECORDED -> {
          FollowUpRecorded fact = event.getFollowUpRecorded();
          c.setSatisfaction(fact.getSatisfaction()).setDissatisfied(fact.getDissatisfied());
          c.clearFollowUpDueTime().clearFollowUpOverdue();
        }
        case CASE_CLOSED -> c.setState(Case.State.CLOSED).setStateTime(time).setCloseTime(time);
        default -> throw new IllegalStateException("not in the load: " + event.getFactCase());
      }
      Case after = c.build();
      // The open time never changes.
      index(dueKey(before), dueKey(after));
      put("case/" + subject, after.toByteArray());
    }

    private void index(String before, String after) {
      if (Objects.equals(before, after)) return;
      if (before != null) rows.delete(Bytes.wrap(before.getBytes(StandardCharsets.UTF_8)));
      if (after != null) put(after, NOTHING);
    }

    // services/intake/case_views.cc: OpenTimeKeys, DueTimeKeys.
    private static String openKey(Case c) {
      return indexKey("case_by_open_time", micros(c.getOpenTime()), c.getName());
    }

    private static String dueKey(Case c) {
      long first = Long.MAX_VALUE;
      for (SlaClock clock : c.getClocksList()) {
        if (clock.getState() != SlaClock.State.RUNNING) continue;
        first = Math.min(first, micros(clock.getDueTime()));
      }
      return first == Long.MAX_VALUE ? null : indexKey("case_by_due_time", first, c.getName());
    }

    private static String indexKey(String index, long micros, String name) {
      String company = name.substring(0, name.indexOf('/', name.indexOf('/') + 1));
      String hex = Long.toHexString(micros);
      return index + "/" + company + "|" + "0".repeat(16 - hex.length()) + hex + "\0" + name;
    }

    private static long micros(Timestamp time) {
      return time.getSeconds() * 1_000_000 + time.getNanos() / 1000;
    }

    private static void putClocks(Case.Builder c, List<SlaClock> changed) {
      for (SlaClock clock : changed) {
        boolean found = false;
        for (int i = 0; i < c.getClocksCount(); ++i) {
          if (!c.getClocks(i).getKind().equals(clock.getKind())) continue;
          c.setClocks(i, clock);
          found = true;
        }
        if (!found) c.addClocks(clock);
      }
    }

    private byte[] get(String key) {
      return rows.get(Bytes.wrap(key.getBytes(StandardCharsets.UTF_8)));
    }

    private void put(String key, byte[] value) {
      rows.put(Bytes.wrap(key.getBytes(StandardCharsets.UTF_8)), value);
    }

    private static String text(Header header) {
      return new String(header.value(), StandardCharsets.UTF_8);
    }

    private static Timestamp timestamp(String text) {
      Instant instant = Instant.parse(text);
      return Timestamp.newBuilder().setSeconds(instant.getEpochSecond())
          .setNanos(instant.getNano()).build();
    }
  }

  private final String bootstrap;
  private final String topic;
  private final long end;
  private final Path directory;

  private RestoreTable(String bootstrap, String topic, long end, Path directory) {
    this.bootstrap = bootstrap;
    this.topic = topic;
    this.end = end;
    this.directory = directory;
  }

  private static StoreBuilder<KeyValueStore<Bytes, byte[]>> rowStore() {
    return Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(STORE), Serdes.Bytes(), Serdes.ByteArray())
        .withCachingEnabled();
  }

  private Topology topology(String mode, Properties config) {
    StreamsBuilder builder = new StreamsBuilder();
    Consumed<byte[], byte[]> consumed = Consumed.with(Serdes.ByteArray(), Serdes.ByteArray());
    switch (mode) {
      case "rows" ->
          builder.addGlobalStore(rowStore().withLoggingDisabled(), topic, consumed, Replay::new);
      case "changelog" -> {
        builder.addStateStore(rowStore().withLoggingEnabled(Map.of()));
        builder.stream(topic, consumed).process(Replay::new, STORE);
      }
      case "last" ->
          builder.table(topic, Consumed.with(Serdes.Bytes(), Serdes.ByteArray()),
              Materialized.as(Stores.persistentKeyValueStore(STORE)));
      default -> throw new IllegalArgumentException(mode);
    }
    return builder.build(config);
  }

  private Properties config(String application) {
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    config.put(StreamsConfig.STATE_DIR_CONFIG, directory.toString());
    config.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
    config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    // More at once than the defaults fetch.
    config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10000);
    config.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
    config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    return config;
  }

  /** One run: seconds until Streams answers queries over all of the topic. */
  private void run(String mode, String application, boolean print) throws Exception {
    wipe();
    Properties config = config(application);
    KafkaStreams streams = new KafkaStreams(topology(mode, config), config);
    try {
      CountDownLatch running = new CountDownLatch(1);
      streams.setStateListener((now, before) -> {
        if (now == KafkaStreams.State.RUNNING) running.countDown();
      });
      long[] restored = {0};
      streams.setGlobalStateRestoreListener(new StateRestoreListener() {
        @Override
        public void onRestoreStart(TopicPartition p, String store, long from, long to) {}

        @Override
        public void onBatchRestored(TopicPartition p, String store, long to, long count) {}

        @Override
        public void onRestoreEnd(TopicPartition p, String store, long total) {
          restored[0] += total;
        }
      });
      long begin = System.nanoTime();
      streams.start();
      running.await();
      double seconds = (System.nanoTime() - begin) / 1e9;
      long rows = count(streams);
      if (print) {
        System.out.printf("mode=%s rows=%d records=%d seconds=%.3f%n",
            mode, rows, restored[0], seconds);
      }
    } finally {
      leave(streams);
    }
  }

  private static ReadOnlyKeyValueStore<Bytes, byte[]> store(KafkaStreams streams) {
    return streams.store(
        StoreQueryParameters.fromNameAndType(STORE, QueryableStoreTypes.keyValueStore()));
  }

  private static long count(KafkaStreams streams) {
    long rows = 0;
    try (KeyValueIterator<Bytes, byte[]> all = store(streams).all()) {
      for (; all.hasNext(); all.next()) ++rows;
    }
    return rows;
  }

  // Streams restores a source topic up to what the application has committed.
  private void commit(String application, long offset) throws Exception {
    try (Admin admin = admin()) {
      admin.alterConsumerGroupOffsets(application,
          Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(offset))).all().get();
    }
  }

  private Admin admin() {
    return Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap));
  }

  /** Has Streams process the whole topic and write its changelog. */
  private void process(String application) throws Exception {
    wipe();
    Properties config = config(application);
    KafkaStreams streams = new KafkaStreams(topology("changelog", config), config);
    try (Admin admin = admin()) {
      streams.start();
      TopicPartition partition = new TopicPartition(topic, 0);
      long committed = -1;
      while (committed < end) {
        Thread.sleep(500);
        OffsetAndMetadata offset = admin.listConsumerGroupOffsets(application)
            .partitionsToOffsetAndMetadata().get().get(partition);
        committed = offset == null ? -1 : offset.offset();
      }
    } finally {
      leave(streams);
    }
  }

  // Else the next run would wait for this one's session to time out.
  private static void leave(KafkaStreams streams) {
    streams.close(CloseOptions.groupMembershipOperation(
        CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
  }

  private void wipe() throws IOException {
    if (!Files.exists(directory)) return;
    try (var files = Files.walk(directory)) {
      for (Path path : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
    }
  }

  public static void main(String[] arguments) throws Exception {
    RestoreTable bench = new RestoreTable(arguments[0], arguments[1],
        Long.parseLong(arguments[2]), Path.of(arguments[5]).resolve("state"));
    int rounds = Integer.parseInt(arguments[3]);
    for (String mode : arguments[4].split(",")) {
      String application = "bench-" + mode;
      if (mode.equals("changelog")) bench.process(application);
      if (mode.equals("last")) bench.commit(application, bench.end);
      for (int round = 0; round <= rounds; ++round) bench.run(mode, application, round > 0);
    }
    bench.wipe();
  }
}
