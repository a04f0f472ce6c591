#include "model/json.hpp"
#include "wire/message.hpp"

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

json::Value golden(const std::string& name) {
    // Golden frames are part of the source; reading them is no I/O of the unit under test.
    std::ifstream file(std::string(DYAD_SOURCE_DIR) + "/protocol/frames/" + name);
    std::stringstream text;
    text << file.rdbuf();
    Result<json::Value> value =
        json::parse(text.str(), {.depth_max = 64, .members_max = 100000, .key_bytes_max = 256});
    EXPECT_TRUE(value.has_value()) << (value ? "" : value.error().to_string());
    return value ? *std::move(value) : json::Value();
}

std::string string_of(const json::Value& value, const char* name) {
    const auto* member = value.as_object().if_contains(name);
    return member == nullptr ? std::string() : std::string(member->as_string());
}

std::string operation_of(const Command& command) {
    static constexpr const char* kNames[] = {"context.put",        "context.merge-patch",
                                             "context.json-patch", "context.delete",
                                             "context.restore",    "conflict.resolve",
                                             "mode.set",           "response.record",
                                             "mcp.announce",       "expire"};
    return kNames[command.body.index()];
}

bool is_command(MessageType type) {
    return type == MessageType::context_sync || type == MessageType::mode_update ||
           type == MessageType::command;
}

// Reads everything that the type of message has; the first error.
std::optional<Error> read_all(Decoder& decoder, const std::string& text) {
    Result<Message> message = decoder.envelope(text);
    if (!message) return message.error();
    if (message->type == MessageType::hello) {
        Result<Hello> hello = decoder.hello(*message);
        return hello ? std::nullopt : std::optional<Error>(hello.error());
    }
    if (is_command(message->type)) {
        Result<Command> command = decoder.command(*message);
        return command ? std::nullopt : std::optional<Error>(command.error());
    }
    Status status = decoder.check_payload(*message);
    return status ? std::nullopt : std::optional<Error>(status.error());
}

TEST(Decoder, TakesEveryGoodGoldenFrame) {
    Decoder decoder;
    const json::Value file = golden("client-good.json");
    for (const json::Value& row : file.at("cases").as_array()) {
        SCOPED_TRACE(string_of(row, "name"));
        const std::string text = string_of(row, "frame");
        Result<Message> message = decoder.envelope(text);
        ASSERT_TRUE(message.has_value()) << message.error().to_string();
        EXPECT_EQ(name_of(message->type), string_of(row, "type"));
        const std::optional<Error> error = read_all(decoder, text);
        ASSERT_FALSE(error.has_value()) << error->to_string();
        message = decoder.envelope(text);
        if (is_command(message->type)) {
            Result<Command> command = decoder.command(*message);
            ASSERT_TRUE(command.has_value());
            EXPECT_EQ(operation_of(*command), string_of(row, "command"));
            command->instance_id = "desk-1";
            const Status valid = validate(*command);
            EXPECT_TRUE(valid.has_value()) << (valid ? "" : valid.error().to_string());
        }
        if (row.as_object().contains("resumeRefused"))
            EXPECT_TRUE(decoder.hello(*message)->resume_refused);
    }
}

TEST(Decoder, RefusesEveryBadGoldenFrameWithItsError) {
    Decoder decoder;
    const json::Value file = golden("client-bad.json");
    for (const json::Value& row : file.at("cases").as_array()) {
        SCOPED_TRACE(string_of(row, "name"));
        const std::optional<Error> error = read_all(decoder, string_of(row, "frame"));
        ASSERT_TRUE(error.has_value());
        EXPECT_EQ(error_row(error->code).name, string_of(row, "error")) << error->to_string();
        if (string_of(row, "stage") == "envelope")
            EXPECT_FALSE(decoder.envelope(string_of(row, "frame")).has_value());
    }
}

TEST(Decoder, NamesTheMemberOfAResponseThatIsWrong) {
    Decoder decoder;
    const auto refusal = [&](const std::string& members) {
        const std::string source =
            R"({"sourceType":"local","provider":"p","model":"m","responseHash":"aa","timestamp":1)";
        const std::string text =
            R"({"id":"op-1","type":"command","payload":{"op":"response.record","response":)"
            R"({"chatId":"c","messageId":"m","mode":"parallel","final":)" +
            source + R"(},"sources":[)" + source + "}," + source + members + "}]}}}";
        const std::optional<Error> error = read_all(decoder, text);
        return error ? error->detail : "";
    };
    EXPECT_EQ(refusal(""), "");
    EXPECT_EQ(refusal(R"(,"confidence":null,"mcpToolsUsed":null,"costUsd":2)"), "");
    EXPECT_TRUE(refusal(R"(,"confidence":null,"a\"b":[{}],"costUsd":2)")
                    .starts_with("sources.1.a\"b: is not known here; known are sourceType, "));
    EXPECT_EQ(refusal(R"(,"confidence":"0.9")"), "sources.1.confidence: must be a number");
    EXPECT_EQ(refusal(R"(,"mcpToolsUsed":{})"),
              "sources.1.mcpToolsUsed: must be an array of strings");
    EXPECT_EQ(refusal(R"(,"outputTokens":1e400)"),
              "sources.1.outputTokens: must be a whole number");
    EXPECT_EQ(refusal(R"(},{"sourceType":"ai")"),
              "sources.2.sourceType: must be local, external or harmonized");
    EXPECT_EQ(refusal(R"(},{"timestamp":1)"), "sources.2.sourceType: is required");
    EXPECT_EQ(refusal(R"(},null,{"timestamp":1)"), "sources.2: must be an object");
    EXPECT_EQ(refusal(R"(,"model":"twice")"),
              "sources.1.model: stands twice in one object; send it once");
}

TEST(Decoder, TellsBytesThatAreNotUtf8FromTextThatIsNotJson) {
    Decoder decoder;
    for (const char* bad :
         {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"})
        for (const char* start :
             {R"({"type":"ping","payload":{"t":")", R"({"type":"ping","t":{"t":")"}) {
            const std::optional<Error> error = read_all(decoder, std::string(start) + bad + "\"}}");
            ASSERT_TRUE(error.has_value());
            EXPECT_EQ(error->code, Errc::invalid_utf8);
        }
}

TEST(Decoder, KeepsThePayloadAsItWasWritten) {
    Decoder decoder;
    const auto message =
        decoder.envelope(R"({"type":"ping","payload": {"a" : 1.50, "b":[ ]} ,"id":"x"})");
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->payload, R"({"a" : 1.50, "b":[ ]})");
    EXPECT_EQ(message->id, "x");
}

TEST(Decoder, MakesTheDataCanonical) {
    Decoder decoder;
    const auto message = decoder.envelope(
        R"({"id":"o","type":"context-sync","payload":{"contextKey":"k","data":{"b":1.0,"a":"A"}}})");
    ASSERT_TRUE(message.has_value());
    const auto command = decoder.command(*message);
    ASSERT_TRUE(command.has_value());
    EXPECT_EQ(command->operation_id, "o");
    const auto& put = std::get<PutContext>(command->body);
    EXPECT_EQ(put.data, R"({"a":"A","b":1})");
    EXPECT_TRUE(put.force);
    EXPECT_FALSE(command->expected_version.has_value());
}

TEST(Decoder, TakesTheClientsNamesOfAModeAndTheServersWhereTheyAgree) {
    Decoder decoder;
    const std::pair<const char*, const char*> cases[] = {
        {R"("toMode":"parallel","currentMode":"parallel")", ""},
        {R"("toMode":"parallel")", ""},
        {R"("currentMode":"parallel","toMode":null,"fromMode":null,"previousMode":"didactic")", ""},
        {R"("toMode":"didactic","currentMode":"parallel")",
         "toMode: is another one than currentMode; send one"},
        {R"("currentMode":"parallel","toMode":"inspired")",
         "toMode: is another one than currentMode; send one"},
        {R"("currentMode":"parallel","fromMode":"inspired","previousMode":"didactic")",
         "fromMode: is another one than previousMode; send one"},
    };
    for (const auto& [members, refusal] : cases) {
        const std::string text =
            R"({"type":"mode-update","payload":{)" + std::string(members) + "}}";
        const auto message = decoder.envelope(text);
        const auto command = decoder.command(*message);
        ASSERT_EQ(command.has_value(), *refusal == '\0') << members;
        if (command)
            EXPECT_EQ(std::get<SetMode>(command->body).mode, Mode::parallel);
        else
            EXPECT_EQ(command.error().detail, refusal);
    }
}

TEST(Decoder, ReadsTheNextMessageAfterALargeAndABrokenOne) {
    Decoder decoder;
    const std::string large =
        R"({"type":"ping","payload":{"x":")" + std::string(900'000, 'x') + "\"}}";
    EXPECT_TRUE(decoder.envelope(large).has_value());
    EXPECT_FALSE(decoder.envelope("{").has_value());
    // Nothing of the earlier texts may be taken for part of this one.
    EXPECT_FALSE(decoder.envelope(R"({"type":"ping","payload":{"x":")").has_value());
    const auto message = decoder.envelope(R"({"type":"pong"})");
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->type, MessageType::pong);
}

TEST(Decoder, NamesTheFieldThatIsWrong) {
    Decoder decoder;
    const auto message = decoder.envelope(
        R"({"type":"command","id":"o","payload":{"op":"context.put","contextKey":"k","data":{},"tags":"x"}})");
    const auto command = decoder.command(*message);
    ASSERT_FALSE(command.has_value());
    EXPECT_EQ(command.error().code, Errc::invalid_field);
    EXPECT_NE(command.error().detail.find("tags"), std::string::npos);
}

}  // namespace
}  // namespace dyad::wire
