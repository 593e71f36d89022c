#include "services/ctl/csv.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/testing/temp_dir.h"
#include "tests/services/ctl/files.h"

namespace aftercare::ctl {
namespace {

using ::aftercare::testing::TempDir;
using ::aftercare::testing::WriteFile;
using ::aftercare::testing::WriteGzip;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Fields = std::vector<std::string>;

struct Result {
  Fields heading;
  std::vector<CsvRow> rows;
  absl::Status status;

  std::vector<Fields> fields() const {
    std::vector<Fields> all;
    for (const CsvRow& row : rows) all.push_back(row.fields);
    return all;
  }
  std::vector<int64_t> lines() const {
    std::vector<int64_t> all;
    for (const CsvRow& row : rows) all.push_back(row.line);
    return all;
  }
};

Result ReadPath(const std::string& path, const CsvDialect& dialect = {}) {
  Result result;
  result.status = ReadCsv(
      path, dialect,
      [&](const Fields& heading) {
        result.heading = heading;
        return absl::OkStatus();
      },
      [&](const CsvRow& row) {
        result.rows.push_back(row);
        return true;
      });
  return result;
}

Result Read(const std::string& text, const CsvDialect& dialect = {}) {
  const TempDir dir;
  return ReadPath(WriteFile(dir / "in.csv", text), dialect);
}

TEST(CsvTest, QuotedFieldsHoldCommasQuotesAndLineBreaks) {
  const auto in =
      Read("id,text\n1,\"a,b\"\n2,\"say \"\"hi\"\"\"\n3,\"x\ny\r\nz\"\n");
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_THAT(in.heading, ElementsAre("id", "text"));
  EXPECT_THAT(in.fields(),
              ElementsAre(Fields{"1", "a,b"}, Fields{"2", "say \"hi\""},
                          Fields{"3", "x\ny\r\nz"}));
}

TEST(CsvTest, ARowIsNamedByTheLineWhereItBegins) {
  const auto in =
      Read("id,text\n\n1,\"a\nb\nc\"\n   \n2,d\n\n\n3,\"e\n\nf\"\n4,g");
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_THAT(in.lines(), ElementsAre(3, 7, 10, 13));
  EXPECT_THAT(in.rows, ElementsAre(::testing::Field(&CsvRow::number, 1),
                                   ::testing::Field(&CsvRow::number, 2),
                                   ::testing::Field(&CsvRow::number, 3),
                                   ::testing::Field(&CsvRow::number, 4)));
}

TEST(CsvTest, AllLineEndsCountAlike) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto in = Read(absl::StrCat("id,text", end, end, "1,\"a", end, "b\"",
                                      end, "2,c", end));
    ASSERT_TRUE(in.status.ok()) << in.status;
    EXPECT_THAT(in.lines(), ElementsAre(3, 5)) << absl::CHexEscape(end);
    EXPECT_EQ(in.rows[0].fields[1], "a" + end + "b");
  }
}

// A chunk of the reader may end anywhere, between CR and LF too.
TEST(CsvTest, ChunksMayEndAnywhere) {
  for (size_t pad = 65520; pad < 65545; ++pad) {
    const std::string text =
        absl::StrCat("id,text\r\n1,", std::string(pad, 'x'),
                     "\r\n\r\n2,\"q\"\"王\r\n,\"\r\n");
    const auto in = Read(text);
    ASSERT_TRUE(in.status.ok()) << in.status;
    ASSERT_THAT(in.lines(), ElementsAre(2, 4)) << pad;
    EXPECT_EQ(in.rows[0].fields[1].size(), pad);
    EXPECT_EQ(in.rows[1].fields[1], "q\"王\r\n,");
  }
}

TEST(CsvTest, AByteOrderMarkIsNoPartOfTheFirstNameQuotedOrNot) {
  EXPECT_EQ(Read("\xEF\xBB\xBFid,b\n1,2\n").heading[0], "id");
  EXPECT_EQ(Read("\xEF\xBB\xBF\"id\",b\n1,2\n").heading[0], "id");
  EXPECT_EQ(Read("\x84\x31\x95\x33\"id\",b\n1,2\n", {"gb18030"}).heading[0],
            "id");
}

TEST(CsvTest, OtherDelimitersLeaveTheCommaAlone) {
  const auto semicolon = Read("id;text\n1;a,b\n", {.delimiter = ';'});
  EXPECT_THAT(semicolon.fields(), ElementsAre(Fields{"1", "a,b"}));
  // Tabs are no blanks then: the second row is three empty fields.
  const auto tab =
      Read("id\ttext\tmore\n1\t\ta,b\n\t\t\n", {.delimiter = '\t'});
  EXPECT_THAT(tab.fields(),
              ElementsAre(Fields{"1", "", "a,b"}, Fields{"", "", ""}));
  EXPECT_THAT(tab.lines(), ElementsAre(2, 3));
}

TEST(CsvTest, AWrongQuoteSpoilsItsOwnLineOnly) {
  const auto in = Read(
      "id,text,more\n1,a,b\n2,5\" pipe,b\n3,\"c\"d,e\n4,\"f\ng\"h,i\n5,j,k\n");
  ASSERT_TRUE(in.status.ok()) << in.status;
  ASSERT_THAT(in.lines(), ElementsAre(2, 3, 4, 5, 7));
  EXPECT_EQ(in.rows[0].problem, "");
  EXPECT_THAT(in.rows[1].problem, HasSubstr("quote"));
  EXPECT_THAT(in.rows[1].problem, HasSubstr("line 3, field 2"));
  EXPECT_THAT(in.rows[2].problem, HasSubstr("line 4"));
  EXPECT_THAT(in.rows[3].problem, HasSubstr("line 6"));
  EXPECT_EQ(in.rows[4].problem, "");
  EXPECT_THAT(in.rows[4].fields, ElementsAre("5", "j", "k"));
}

TEST(CsvTest, AWrongQuoteInTheLastLineWithoutItsEndIsStillARow) {
  const auto in = Read("id,text\n1,a\n2,b\"c");
  ASSERT_TRUE(in.status.ok()) << in.status;
  ASSERT_THAT(in.rows, SizeIs(2));
  EXPECT_THAT(in.rows[1].problem, HasSubstr("quote"));
}

TEST(CsvTest, AQuoteThatNeverClosesEndsTheReadingWithItsLine) {
  const auto in = Read("id,text\n1,a\n2,\"b\n3,c\n4,d\n");
  EXPECT_EQ(in.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(in.status.message()), HasSubstr("line 3"));
  EXPECT_THAT(in.rows, SizeIs(1));
}

TEST(CsvTest, AnOpenQuoteInALargeFileDoesNotFillTheMemory) {
  const auto in = Read(
      absl::StrCat("id,text\n1,\"", std::string(17 << 20, 'x'), "\"\n2,b\n"));
  EXPECT_EQ(in.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(in.status.message()), HasSubstr("line 2"));
  EXPECT_THAT(in.rows, IsEmpty());
}

TEST(CsvTest, MoreOrFewerFieldsThanNamesAreTheCallersToJudge) {
  const auto in = Read("a,b\n1\n1,2,3\n,\n");
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_THAT(in.fields(),
              ElementsAre(Fields{"1"}, Fields{"1", "2", "3"}, Fields{"", ""}));
}

TEST(CsvTest, AFileWithoutHeadingIsRefused) {
  for (const std::string text : {"", "\n\r\n  \n", "\xEF\xBB\xBF"}) {
    const auto in = Read(text);
    EXPECT_EQ(in.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(in.status.message()), HasSubstr("heading"));
  }
}

TEST(CsvTest, TheVisitorStopsTheReading) {
  const TempDir dir;
  const std::string path = WriteFile(dir / "in.csv", "a\n1\n2\n3\n");
  int rows = 0;
  EXPECT_TRUE(ReadCsv(
                  path, {}, [](const Fields&) { return absl::OkStatus(); },
                  [&](const CsvRow&) { return ++rows < 2; })
                  .ok());
  EXPECT_EQ(rows, 2);
}

TEST(CsvTest, GzipIsFoundByItsFirstBytes) {
  const TempDir dir;
  const auto in =
      ReadPath(WriteGzip(dir / "plain.csv", "id,text\n1,\"王\n芳\"\n"));
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_THAT(in.fields(), ElementsAre(Fields{"1", "王\n芳"}));
}

TEST(CsvTest, AGzipFileThatWasCutOffIsDamaged) {
  const TempDir dir;
  std::string text = "id,text\n";
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&text, i, ",", i * i, "\n");
  const std::string whole =
      testing::ReadFile(WriteGzip(dir / "whole.gz", text));
  const auto in =
      ReadPath(WriteFile(dir / "cut.gz", whole.substr(0, whole.size() / 2)));
  EXPECT_EQ(in.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(in.status.message()), HasSubstr("damaged"));
}

TEST(CsvTest, AMissingFileIsNotFound) {
  EXPECT_EQ(ReadPath("/nowhere/in.csv").status.code(),
            absl::StatusCode::kNotFound);
}

// GB18030: two bytes for common characters, four for 㐇 (U+3407, in the
// plane of the others), 𠮷 (U+20BB7) and emoji.
TEST(CsvTest, Gb18030ComesOutAsUtf8) {
  const std::string gb =
      "\xb1\xe0\xba\xc5,\xc3\xe8\xca\xf6\n"
      "1,\"\xcb\xae\xba\xf8\xa3\xac\xc2\xa9\xcb\xae\n"
      "\x81\x39\xef\x36 \x95\x34\xb2\x35 \x94\x39\xfc\x36\"\n";
  const auto in = Read(gb, {"gb18030"});
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_THAT(in.heading, ElementsAre("编号", "描述"));
  ASSERT_THAT(in.rows, SizeIs(1));
  EXPECT_EQ(in.rows[0].problem, "");
  EXPECT_THAT(in.rows[0].fields, ElementsAre("1", "水壶，漏水\n㐇 𠮷 😀"));
}

TEST(CsvTest, BytesOutsideTheEncodingAreToldByLineAndField) {
  const auto utf8 =
      Read("id,text\n1,good\n2,\"a\n\xff\xfe\"\n3,good\n4,\xe7\x8e\n");
  ASSERT_TRUE(utf8.status.ok()) << utf8.status;
  ASSERT_THAT(utf8.lines(), ElementsAre(2, 3, 5, 6));
  EXPECT_EQ(utf8.rows[0].problem, "");
  EXPECT_EQ(utf8.rows[1].problem, "field 2 is not in utf-8");
  EXPECT_EQ(utf8.rows[1].fields[1], "a\n\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(utf8.rows[2].problem, "");
  EXPECT_EQ(utf8.rows[3].problem, "field 2 is not in utf-8");

  const auto gb = Read("id,text\n\xff,a\n2,\xcd\xf5\n", {"GB18030"});
  ASSERT_TRUE(gb.status.ok()) << gb.status;
  EXPECT_EQ(gb.rows[0].problem, "field 1 is not in GB18030");
  EXPECT_THAT(gb.rows[1].fields, ElementsAre("2", "王"));
}

TEST(CsvTest, EncodingsThatHideCommasAndQuotesAreRefused) {
  for (const std::string encoding :
       {"utf-16", "UTF-16LE", "UTF-32", "ISO-2022-JP", "HZ", "EBCDIC-US",
        "no-such", "", "utf-8//IGNORE"}) {
    EXPECT_EQ(Read("a\n1\n", {encoding}).status.code(),
              absl::StatusCode::kInvalidArgument)
        << encoding;
  }
  for (const std::string encoding :
       {"utf-8", "UTF8", "gb18030", "GBK", "GB2312", "BIG5", "SHIFT_JIS",
        "ISO-8859-1", "WINDOWS-1252"}) {
    EXPECT_TRUE(Read("a\n1\n", {encoding}).status.ok()) << encoding;
  }
}

TEST(CsvTest, WhatIsWrittenReadsTheSame) {
  const std::vector<Fields> rows = {
      {"plain", "a,b", "say \"hi\"", "x\ny", "x\r\ny"},
      {"", " padded ", "\ttab", "王芳 😀", "\""},
  };
  std::string text = CsvLine({"1", "2", "3", "4", "5"});
  for (const Fields& row : rows) text += CsvLine(row);
  const auto in = Read(text);
  ASSERT_TRUE(in.status.ok()) << in.status;
  EXPECT_EQ(in.fields(), rows);
}

TEST(Utf8Test, RefusesWhatIsNoUtf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a王😀\xEF\xBF\xBD"));
  for (const std::string bad : {"\xff", "\xe7\x8e", "\xc0\x80", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(IsUtf8(bad)) << absl::CHexEscape(bad);
  }
}

}  // namespace
}  // namespace aftercare::ctl
