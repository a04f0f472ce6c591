#include "server/mcp/era.hpp"
#include "server/mcp/visit.hpp"

#include <gtest/gtest.h>

namespace dyad {
namespace {

using namespace server::mcp;

net::Request request(net::Headers headers) {
    net::Request made;
    made.headers = std::move(headers);
    return made;
}

Params params_of(const std::string& text) {
    return *read_params(text);
}

const std::string kMeta =
    R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name":"n","uri":"é"})";

int refused(net::Headers headers, std::string_view method = "tools/call") {
    const auto refusal = check_headers(request(std::move(headers)), method, params_of(kMeta));
    return refusal ? refusal->code : 0;
}

TEST(McpEra, IsChosenByHeaderAndBody) {
    const std::optional<Meta> none;
    Meta meta;
    EXPECT_EQ(era_of(request({}), none), Era::legacy);
    for (const char* version : {"2024-11-05", "2025-03-26", "2025-06-18", " 2025-11-25 "})
        EXPECT_EQ(era_of(request({{"mcp-protocol-version", version}}), none), Era::legacy);
    for (const char* version : {"2026-07-28", "2031-01-01", "v999.0.0", ""})
        EXPECT_EQ(era_of(request({{"mcp-protocol-version", version}}), none), Era::modern);
    EXPECT_EQ(era_of(request({}), meta), Era::legacy);  // a progress token, perhaps
    meta.version = "2025-06-18";
    EXPECT_EQ(era_of(request({{"mcp-protocol-version", "2025-06-18"}}), meta), Era::modern);
}

TEST(McpEra, InitializeGetsARevisionWithSessions) {
    EXPECT_EQ(negotiated("2025-03-26"), "2025-03-26");
    for (const char* asked : {"2026-07-28", "2024-11-05", "", "x"})
        EXPECT_EQ(negotiated(asked), "2025-11-25");
}

TEST(McpHeaders, MustSayWhatTheBodySays) {
    const net::Headers good = {
        {"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "tools/call"}, {"mcp-name", "n"}};
    EXPECT_EQ(refused(good), 0);
    for (std::size_t i = 0; i < good.size(); ++i) {
        net::Headers missing = good;
        missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_EQ(refused(missing), kHeaderMismatch);
        net::Headers twice = good;
        twice.push_back(good[i]);
        EXPECT_EQ(refused(twice), kHeaderMismatch);
        net::Headers other = good;
        other[i].second += "x";
        EXPECT_EQ(refused(other), kHeaderMismatch);
    }
    // By its URI, and in base64 where ASCII has no place for it.
    net::Headers read = good;
    read[1].second = "resources/read";
    read[2].second = "=?BASE64?w6k=?=";
    EXPECT_EQ(refused(read, "resources/read"), 0);
    // Lists have no name.
    EXPECT_EQ(refused({good[0], {"mcp-method", "tools/list"}}, "tools/list"), 0);
}

TEST(McpHeaders, AValueIsDecodedStrictly) {
    EXPECT_EQ(header_value(" a b\t"), "a b");
    EXPECT_EQ(header_value("=?base64?SGVsbG8=?="), "Hello");
    EXPECT_EQ(header_value("=?base64?" "?="), "");
    EXPECT_EQ(header_value("SGVsbG8="), "SGVsbG8=");
    EXPECT_EQ(header_value("=?base64?SGVsbG8="), "=?base64?SGVsbG8=");
    for (const char* bad : {"=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?SGVsbG9=?=",
                            "=?base64?====?=", "=?base64? SGVsbG8=?="})
        EXPECT_FALSE(header_value(bad)) << bad;
}

TEST(McpHeaders, ParametersThatASchemaNames) {
    const char* const schema =
        R"({"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"},)"
        R"("n":{"type":"integer","x-mcp-header":"N"},"free":{"type":"string"}}})";
    const auto refused_with = [&](net::Headers headers, std::string_view arguments) {
        return check_param_headers(request(std::move(headers)), schema, arguments).has_value();
    };
    EXPECT_FALSE(refused_with({{"mcp-param-a", "x"}, {"mcp-param-n", "7"}}, R"({"a":"x","n":7})"));
    EXPECT_TRUE(refused_with({{"mcp-param-a", "x"}}, R"({"a":"x","n":7})"));
    EXPECT_TRUE(refused_with({{"mcp-param-a", "y"}}, R"({"a":"x"})"));
    EXPECT_TRUE(refused_with({{"mcp-param-a", "y"}}, R"({"free":"y"})"));
    EXPECT_FALSE(refused_with({}, R"({"free":"y"})"));
}

TEST(McpClient, IsNamedAfterWhatItSaysOfItself) {
    EXPECT_EQ(instance_of(R"({"name":"claude-code","version":"2"})"), "claude-code");
    EXPECT_EQ(instance_of(R"({"name":"Visual Studio Code"})"), "visual-studio-code");
    EXPECT_EQ(instance_of(R"({"name":" é "})"), "mcp");
    EXPECT_EQ(instance_of(""), "mcp");
    EXPECT_EQ(instance_of("{\"name\":\"" + std::string(300, 'x') + "\"}").size(), 128U);
}

TEST(McpClient, CanBeAskedForWhatItDeclares) {
    const auto can = read_capabilities(R"({"elicitation":{},"sampling":{}})");
    EXPECT_TRUE(can.elicitation_form && can.sampling && !can.elicitation_url && !can.roots);
    const auto url = read_capabilities(R"({"elicitation":{"url":{}},"roots":{}})");
    EXPECT_TRUE(url.elicitation_url && !url.elicitation_form && url.roots);
    EXPECT_FALSE(read_capabilities("").elicitation_form);
}

}  // namespace
}  // namespace dyad
