// The two directions of the model's documents. A document is described once, by a function over a
// form that names its members in canonical order, each with the place of its value:
//
//     constexpr auto kThing = [](auto& form, auto& thing) {
//         form.need(form.value("id", thing.id));
//         if (form.wants(thing.tags)) form.value("tags", thing.tags);
//     };
//
// DocumentWriter writes them all. DocumentReader reads what was written, forward, and passes over
// members that it is not asked for: where one is missing, its place stays as it is. What is not of
// the kind that its place holds, or is needed and missing, is damage.
#pragma once

#include "model/json_fields.hpp"
#include "model/json_text.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad {

class DocumentWriter {
  public:
    static constexpr bool kWrites = true;

    explicit DocumentWriter(json::Writer& out) : out_(out) {}

    void need(bool) {}
    // Whether a member that may be left out is there.
    bool wants(bool value) { return value; }
    template <class T>
    bool wants(const std::optional<T>& value) {
        return value.has_value();
    }
    template <class T>
    bool wants(const std::vector<T>& values) {
        return !values.empty();
    }

    // Strings, numbers, truths, names; `null` for none.
    template <std::size_t N, class T>
    [[gnu::always_inline]] bool value(const char (&name)[N], const T& value) {
        out_.member(name, value);
        return true;
    }
    // Canonical JSON as it stands.
    template <std::size_t N>
    [[gnu::always_inline]] bool raw(const char (&name)[N], const std::string& text) {
        out_.member(name).raw(std::string_view(text));
        return true;
    }
    template <std::size_t N>
    [[gnu::always_inline]] bool raw(const char (&name)[N], const std::optional<std::string>& text) {
        return raw(name, *text);
    }
    // The same where `null` is none.
    template <std::size_t N>
    [[gnu::always_inline]] bool raw_or_null(const char (&name)[N],
                                            const std::optional<std::string>& text) {
        out_.member(name).raw_or_null(text);
        return true;
    }
    template <std::size_t N, class Describe, class... Parts>
    bool object(const char (&name)[N], Describe describe, const Parts&... parts) {
        out_.member(name);
        write(describe, parts...);
        return true;
    }
    template <std::size_t N, class Describe, class Document>
    bool list(const char (&name)[N], Describe describe, const std::vector<Document>& documents) {
        out_.member(name).array(documents, [&](const Document& each) { write(describe, each); });
        return true;
    }
    // A whole document.
    template <class Describe, class... Parts>
    void write(Describe describe, const Parts&... parts) {
        out_.object([&] { describe(*this, parts...); });
    }

  private:
    json::Writer& out_;
};

class DocumentReader {
  public:
    static constexpr bool kWrites = false;

    // A whole document, which stands next in `source`; false where it is damaged.
    template <class Describe, class... Parts>
    static bool read(json::Source& source, Describe describe, Parts&... parts) {
        if (source.lexer().peek() != '{') return false;
        DocumentReader form(source);
        describe(form, parts...);
        while (form.find_next())
            form.pass();
        return form.good_;
    }

    void need(bool found) { good_ = good_ && found; }
    bool wants(const auto&) { return true; }

    template <class T>
    bool value(std::string_view name, T& out) {
        return take(name, [&](json::Field& field) { return field.into(out); });
    }
    template <class Text>
    bool raw(std::string_view name, Text& out) {
        return take(name, [&](json::Field& field) {
            std::string_view text;
            if (!field.raw(text)) return false;
            out = std::string(text);
            return true;
        });
    }
    bool raw_or_null(std::string_view name, std::optional<std::string>& out) {
        const bool found = raw(name, out);
        if (out == "null") out.reset();
        return found;
    }
    template <class Describe, class... Parts>
    bool object(std::string_view name, Describe describe, Parts&... parts) {
        return take(name, [&](json::Field&) { return read(source_, describe, parts...); });
    }
    template <class Describe, class Document>
    bool list(std::string_view name, Describe describe, std::vector<Document>& out) {
        return take(name, [&](json::Field& field) {
            const auto one = [&](json::Field&) {
                return read(source_, describe, out.emplace_back());
            };
            return field.elements(one).good;
        });
    }

  private:
    explicit DocumentReader(json::Source& source) : source_(source) {
        source.lexer().enter('}', more_);
    }

    // Reads the name of the next member, if there is one.
    bool find_next() {
        if (!good_ || !more_) return false;
        if (!is_named_) good_ = source_.member_name(next_);
        is_named_ = good_;
        return good_;
    }
    // Goes up to the value of this member, if there is one.
    bool find(std::string_view name) {
        if (good_ && more_ && !is_named_ && source_.lexer().take_member(name)) return true;
        while (find_next() && json::name_before(next_, name))
            pass();
        return is_named_ && next_ == name;
    }
    void pass() {
        std::string_view text;
        good_ = json::Field(next_, source_).raw(text) && source_.lexer().leave('}', more_);
        is_named_ = false;
    }
    template <class Take>
    bool take(std::string_view name, Take take) {
        if (!find(name)) return false;
        json::Field field(name, source_);
        good_ = take(field) && source_.lexer().leave('}', more_);
        is_named_ = false;
        return good_;
    }

    json::Source& source_;
    bool good_ = true;
    bool more_ = false;
    bool is_named_ = false;  // the name of the next member is read
    std::string_view next_;
};

}  // namespace dyad
