#include "store/mongo/bson/bson_json.hpp"

#include "model/json.hpp"
#include "model/json_reader.hpp"
#include "model/json_text.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

namespace dyad::mongo {
namespace {

constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;
constexpr std::string_view kDollar = "\xef\xbc\x84";  // U+FF04
constexpr std::string_view kDot = "\xef\xbc\x8e";     // U+FF0E
constexpr std::string_view kNul = "\xe2\x90\x80";     // U+2400
constexpr std::size_t kDepthMax = 64;                 // of what is written; the server's is 100

int size_of(std::string_view text) {
    CHECK(text.size() < static_cast<std::size_t>(INT32_MAX));
    return static_cast<int>(text.size());
}

void append_name(std::string& out, std::string_view name) {
    const std::size_t begin = out.size();
    for (const char c : name) {
        if (c == '.')
            out += kDot;
        else if (c == '\0')
            out += kNul;
        else if (c == '$' && out.size() == begin)
            out += kDollar;
        else
            out += c;
    }
}

bool append_integer(bson_t* to, std::string_view name, std::int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX)
        return bson_append_int32(to, name.data(), size_of(name), static_cast<std::int32_t>(value));
    if (value >= -kExactInDouble && value <= kExactInDouble)
        return bson_append_double(to, name.data(), size_of(name), static_cast<double>(value));
    return bson_append_int64(to, name.data(), size_of(name), value);
}

// Reader's sink that writes BSON as it goes: documents that are being written lie one in another.
class BsonSink {
  public:
    BsonSink(bson_t* to, std::string_view name) : name_(name) { open_.push_back({to, false, 0}); }

    void begin_object() { begin(false); }
    void begin_array() { begin(true); }
    bool end_object(json::Lexer&) {
        bson_t* const inner = close();
        CHECK(bson_append_document_end(open_.back().document, inner));
        return true;
    }
    void end_array() {
        bson_t* const inner = close();
        CHECK(bson_append_array_end(open_.back().document, inner));
    }
    bool name(json::Lexer&, const json::RawString& raw, std::size_t) {
        text_.clear();
        json::append_unescaped(text_, raw);
        name_.clear();
        append_name(name_, text_);
        return true;
    }
    void element() { name_ = std::to_string(open_.back().elements++); }
    void string(const json::RawString& raw) {
        std::string_view value = raw.body;
        if (raw.escaped) {
            text_.clear();
            json::append_unescaped(text_, raw);
            value = text_;
        }
        CHECK(bson_append_utf8(to(), name_.data(), size_of(name_), value.data(), size_of(value)));
    }
    void literal(std::string_view word) {
        CHECK(word == "null"
                  ? bson_append_null(to(), name_.data(), size_of(name_))
                  : bson_append_bool(to(), name_.data(), size_of(name_), word == "true"));
    }
    bool number(json::Lexer&, const json::Number& number) {
        std::int64_t whole = 0;
        if (number.into(whole)) {
            CHECK(append_integer(to(), name_, whole));
        } else {
            const double real =
                number.is_integer ? static_cast<double>(number.magnitude) : number.real;
            CHECK(bson_append_double(to(), name_.data(), size_of(name_), real));
        }
        return true;
    }
    // Closes what an error left open.
    void abandon() {
        while (open_.size() > 1) {
            bson_t* const inner = close();
            CHECK(bson_append_document_end(open_.back().document, inner));
        }
    }

  private:
    struct Open {
        bson_t* document;
        bool is_array;
        std::size_t elements;
    };
    bson_t* to() const { return open_.back().document; }
    void begin(bool is_array) {
        bson_t* const inner = &inner_[open_.size() - 1];
        CHECK(is_array ? bson_append_array_begin(to(), name_.data(), size_of(name_), inner)
                       : bson_append_document_begin(to(), name_.data(), size_of(name_), inner));
        open_.push_back({inner, is_array, 0});
    }
    bson_t* close() {
        bson_t* const inner = open_.back().document;
        open_.pop_back();
        return inner;
    }

    std::string name_;
    std::string text_;
    std::vector<Open> open_;
    std::array<bson_t, kDepthMax> inner_;
};

}  // namespace

Status append_json(Bson& to, std::string_view name, std::string_view text) {
    constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
    constexpr json::ParseLimits kLimits{
        .depth_max = kDepthMax, .members_max = kAny, .key_bytes_max = kAny};
    json::Lexer lexer(text);
    BsonSink sink(to.get(), name);
    json::Reader reader(lexer, kLimits, sink);
    if (reader.run() && lexer.finish()) return Done{};
    sink.abandon();
    return fail(Errc::storage_damaged,
                "what is kept as JSON is none: " + lexer.take_error().detail);
}

Result<Bson> bson_of(std::string_view text) {
    if (!text.starts_with('{'))
        return fail(Errc::storage_damaged, "what is kept as a JSON object is none");
    Bson outer;
    TRY(append_json(outer, "it", text));
    return Bson::copy_of(outer.view().sub("it").get());
}

Bson& append_number(Bson& to, std::string_view name, std::int64_t value) {
    CHECK(append_integer(to.get(), name, value));
    return to;
}

Bson& append_number(Bson& to, std::string_view name, std::uint64_t value) {
    return std::in_range<std::int64_t>(value)
               ? append_number(to, name, static_cast<std::int64_t>(value))
               : to.real(name, static_cast<double>(value));
}

namespace {

// As Date.prototype.toISOString has it; a date outside of its four-digit years is a number.
void write_date(json::Writer& out, std::int64_t ms) {
    using namespace std::chrono;
    constexpr std::int64_t kYear0 = -62'167'219'200'000;
    constexpr std::int64_t kYear10000 = 253'402'300'800'000;
    if (ms < kYear0 || ms >= kYear10000) {
        out.integer(ms);
        return;
    }
    const sys_time<milliseconds> moment{milliseconds(ms)};
    const auto day = floor<days>(moment);
    const year_month_day date{day};
    const hh_mm_ss time{moment - day};
    std::array<char, 40> text;
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                  static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()),
                  static_cast<int>(time.subseconds().count()));
    out.word(text.data());
}

void write_decimal(json::Writer& out, const bson_iter_t* at) {
    bson_decimal128_t decimal;
    bson_iter_decimal128(at, &decimal);
    std::array<char, BSON_DECIMAL128_STRING> text;
    bson_decimal128_to_string(&decimal, text.data());
    const std::string_view view = text.data();
    if (view == "NaN" || view.ends_with("Infinity")) {
        out.raw("null");
        return;
    }
    const Result<std::string> number = json::canonicalize(view);
    number ? out.raw(std::string_view(*number)) : out.word(view);
}

// Of what is no document: as JSON has it, or comes nearest. Nothing is checked.
void write_scalar(json::Writer& out, const BsonValue& value) {
    const bson_iter_t* const at = &value.at;
    std::uint32_t bytes = 0;
    switch (value.type()) {
        case BSON_TYPE_DOUBLE: {
            const double real = bson_iter_double(at);
            std::isfinite(real) ? out.real(real) : out.raw("null");
            return;
        }
        case BSON_TYPE_UTF8: {
            const char* const data = bson_iter_utf8(at, &bytes);
            out.string({data, bytes});
            return;
        }
        case BSON_TYPE_BINARY: {
            const std::uint8_t* data = nullptr;
            bson_iter_binary(at, nullptr, &bytes, &data);
            out.word(to_base64(std::span(data, bytes)));
            return;
        }
        case BSON_TYPE_OID:
            out.word(to_hex(bson_iter_oid(at)->bytes));
            return;
        case BSON_TYPE_BOOL:
            out.value(bson_iter_bool(at));
            return;
        case BSON_TYPE_DATE_TIME:
            write_date(out, bson_iter_date_time(at));
            return;
        case BSON_TYPE_INT32:
            out.integer(bson_iter_int32(at));
            return;
        case BSON_TYPE_INT64:
            out.integer(bson_iter_int64(at));
            return;
        case BSON_TYPE_DECIMAL128:
            write_decimal(out, at);
            return;
        case BSON_TYPE_EOD:
        case BSON_TYPE_DOCUMENT:
        case BSON_TYPE_ARRAY:
        case BSON_TYPE_UNDEFINED:
        case BSON_TYPE_REGEX:
        case BSON_TYPE_CODE:
        case BSON_TYPE_SYMBOL:
        case BSON_TYPE_TIMESTAMP:
        case BSON_TYPE_NULL:
        case BSON_TYPE_DBPOINTER:
        case BSON_TYPE_CODEWSCOPE:
        case BSON_TYPE_MAXKEY:
        case BSON_TYPE_MINKEY:
            out.raw("null");
    }
}

Status write_value(json::Writer& out, const BsonValue& value, std::size_t depth);

Error no_bson() {
    return fail(Errc::invalid_json, "the bytes are no BSON");
}

Status write_document(json::Writer& out, BsonView document, bool is_array, std::size_t depth) {
    if (depth > limits::json_depth_max)
        return fail(Errc::too_large, "nested deeper than json_depth_max = " +
                                         std::to_string(limits::json_depth_max));
    bson_iter_t at;
    if (!document.valid() || !bson_iter_init(&at, document.get())) return no_bson();
    out.raw(is_array ? std::string_view("[") : "{");
    for (bool first = true; bson_iter_next(&at); first = false) {
        if (!first) out.raw(",");
        if (!is_array) out.string({bson_iter_key(&at), bson_iter_key_len(&at)}).raw(":");
        TRY(write_value(out, BsonValue{at}, depth));
    }
    if (at.err_off != 0) return no_bson();
    out.raw(is_array ? std::string_view("]") : "}");
    return Done{};
}

Status write_value(json::Writer& out, const BsonValue& value, std::size_t depth) {
    const bool is_array = value.type() == BSON_TYPE_ARRAY;
    if (is_array || value.type() == BSON_TYPE_DOCUMENT)
        return write_document(out, BsonView(value), is_array, depth + 1);
    write_scalar(out, value);
    return Done{};
}

// Canonical; UTF-8, names and sizes are checked there.
template <class Write>
Result<std::string> text_of(std::size_t bytes, Write write) {
    Status good = Done{};
    const std::string text = json::written(bytes, [&](json::Writer& out) { good = write(out); });
    TRY(good);
    return json::canonicalize(text);
}

}  // namespace

Result<std::string> json_of(BsonView document) {
    return text_of(document.get()->len,
                   [&](json::Writer& out) { return write_document(out, document, false, 1); });
}

Result<std::string> json_of(const BsonValue& value) {
    return text_of(64, [&](json::Writer& out) { return write_value(out, value, 0); });
}

}  // namespace dyad::mongo
