import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Reads a topic of Aftercare: keeps the records that count and decodes them.
 * Arguments: brokers, topic, the descriptor set. Prints one JSON object per
 * fact, in order within each partition; at the end, on standard error, what
 * each partition held. Reads to the end as it is at the start.
 */
public final class ReadTopic {
  /** Of one partition. Which records count, and when. */
  static final class Fold {
    String claim = "";
    long seq = 0;
    List<ConsumerRecord<byte[], byte[]>> pending = new ArrayList<>();
    int records = 0;
    int claims = 0;
    int facts = 0;

    /** The records that count from now on: none, or a whole command's. */
    List<ConsumerRecord<byte[], byte[]>> take(
        ConsumerRecord<byte[], byte[]> record) {
      Map<String, String> h = headers(record);
      ++records;
      if (h.containsKey("claim_owner")) {
        ++claims;
        claim = Long.toString(record.offset());
        seq = 0;
        pending = new ArrayList<>();
      } else if (!claim.isEmpty()
          && claim.equals(h.get("claim"))
          && Long.toString(seq).equals(h.get("seq"))) {
        ++seq;
        pending.add(record);
        if (!"1".equals(h.get("more"))) {
          List<ConsumerRecord<byte[], byte[]>> command = pending;
          pending = new ArrayList<>();
          facts += command.size();
          return command;
        }
      }
      return List.of();
    }

    @Override
    public String toString() {
      int voids = records - claims - facts - pending.size();
      return facts + " facts, " + claims + " claims, " + voids + " void, "
          + pending.size() + " pending";
    }
  }

  /** Knows the messages from the descriptor set alone. */
  static final class Decoder {
    private final Map<String, FileDescriptorProto> protos = new HashMap<>();
    private final Map<String, FileDescriptor> files = new HashMap<>();
    private final Map<String, Descriptor> messages = new HashMap<>();
    private final JsonFormat.Printer printer =
        JsonFormat.printer().preservingProtoFieldNames();

    Decoder(Path path) throws Exception {
      for (FileDescriptorProto proto :
          FileDescriptorSet.parseFrom(Files.readAllBytes(path)).getFileList()) {
        protos.put(proto.getName(), proto);
      }
      for (String name : protos.keySet()) {
        for (Descriptor message : file(name).getMessageTypes()) {
          messages.put(message.getFullName(), message);
        }
      }
    }

    private FileDescriptor file(String name) throws Exception {
      if (!files.containsKey(name)) {
        FileDescriptorProto proto = protos.get(name);
        List<FileDescriptor> imports = new ArrayList<>();
        for (String imported : proto.getDependencyList()) {
          imports.add(file(imported));
        }
        files.put(name, FileDescriptor.buildFrom(
            proto, imports.toArray(new FileDescriptor[0])));
      }
      return files.get(name);
    }

    JsonObject decode(String type, byte[] value) throws Exception {
      return JsonParser.parseString(printer.print(
          DynamicMessage.parseFrom(messages.get(type), value)))
          .getAsJsonObject();
    }
  }

  /** As text; of a name that is given twice, the last. */
  static Map<String, String> headers(ConsumerRecord<byte[], byte[]> record) {
    Map<String, String> headers = new LinkedHashMap<>();
    for (Header header : record.headers()) {
      byte[] value = header.value() == null ? new byte[0] : header.value();
      headers.put(header.key(), new String(value, StandardCharsets.UTF_8));
    }
    return headers;
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 3) {
      System.err.println("ReadTopic BROKERS TOPIC DESCRIPTORS");
      System.exit(2);
    }
    String topic = arguments[1];
    Decoder decoder = new Decoder(Path.of(arguments[2]));
    Gson gson = new GsonBuilder().disableHtmlEscaping().create();
    PrintStream out =
        new PrintStream(System.out, false, StandardCharsets.UTF_8);
    Map<Integer, Fold> folds = new TreeMap<>();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
        Map.of("bootstrap.servers", arguments[0],
            "enable.auto.commit", "false"),
        new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      consumer.partitionsFor(topic).forEach(
          info -> partitions.add(new TopicPartition(topic, info.partition())));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream().anyMatch(
          end -> consumer.position(end.getKey()) < end.getValue())) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          TopicPartition partition =
              new TopicPartition(topic, record.partition());
          if (record.offset() >= ends.get(partition)) continue;
          Fold fold =
              folds.computeIfAbsent(record.partition(), p -> new Fold());
          for (var fact : fold.take(record)) {
            Map<String, String> headers = headers(fact);
            JsonObject line = new JsonObject();
            line.addProperty("partition", fact.partition());
            line.addProperty("offset", fact.offset());
            line.addProperty(
                "key", new String(fact.key(), StandardCharsets.UTF_8));
            // Where a producer puts the key: where it lies, but for the
            // platform's own facts, which lie in every partition.
            line.addProperty("key_partition",
                Utils.toPositive(Utils.murmur2(fact.key()))
                    % partitions.size());
            line.add("headers", gson.toJsonTree(headers));
            line.add("event", decoder.decode(
                headers.get("ce_dataschema"), fact.value()));
            out.println(gson.toJson(line));
          }
        }
      }
    }
    out.flush();
    folds.forEach((partition, fold) ->
        System.err.println("partition " + partition + ": " + fold));
  }
}
