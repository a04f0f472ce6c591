#include "model/json_canonical.hpp"

#include "model/json_reader.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <forward_list>
#include <vector>

namespace dyad::json {

// Reader's sink that writes canonical text as it goes, and puts the members of an object in order
// when the object ends, if they were not. Members move once per level, so the work is bounded by
// depth times length.
//
// The text so far is out_ and then the run: bytes of the source that canonical text has just like
// that. Most programs write no white space, so that most values are one run, and nothing is copied.
class Canonicalizer::Writer {
  public:
    Writer() {
        members_.reserve(32);
        objects_.reserve(8);
    }
    // Of the value that `rest` begins with.
    void begin(std::string_view rest) {
        run_ = run_end_ = rest.data();
        source_end_ = rest.data() + rest.size();
        source_bytes_ = rest.size();
        out_.clear();
        members_.clear();
        objects_.clear();
        unescaped_.clear();
    }
    std::string_view text() {
        if (out_.empty()) return run();
        flush();
        return out_;
    }
    std::size_t memory_bytes() const {
        return out_.capacity() + scratch_.capacity() + members_.capacity() * sizeof(Member);
    }

    void begin_object() {
        put('{');
        objects_.emplace_back(members_.size(), true);
    }
    void begin_array() {
        put('[');
        first_element_ = true;
    }
    bool end_object(Lexer&) {
        const Object& object = objects_.back();
        if (!object.in_order && !reorder(object)) return false;
        members_.erase(first_of(object), members_.end());
        objects_.pop_back();
        put('}');
        return true;
    }
    void end_array() {
        put(']');
        first_element_ = false;
    }
    bool name(Lexer&, const RawString& raw, std::size_t) {
        Object& object = objects_.back();
        const bool first = members_.size() == object.first_member;
        if (!first) put(',');
        std::string_view name = raw.body;
        if (raw.escaped) {
            append_unescaped(unescaped_.emplace_front(), raw);
            name = unescaped_.front();
        }
        if (!first && !name_before(members_.back().name, name)) object.in_order = false;
        members_.emplace_back(name, out_.size() + run().size(), 0);
        string(raw);
        put(':');
        return true;
    }
    void element() {
        if (!first_element_) put(',');
        first_element_ = false;
    }
    void string(const RawString& raw) {
        if (raw.canonical) return put(raw.body.data() - 1, raw.body.size() + 2);
        flush();
        scratch_.clear();
        append_unescaped(scratch_, raw);
        append_string(out_, scratch_);
    }
    bool number(Lexer& lexer, const Number& number) {
        if (number.is_integer && (number.magnitude != 0 || number.text.size() == 1)) {
            put(number.text.data(), number.text.size());
            return true;
        }
        if (!lexer.keeps(number)) return false;
        flush();
        json::Writer(out_, kNumberBytes).real(number.real);  // of an integer: the text is -0
        return true;
    }
    void literal(std::string_view word) {
        for (const char c : word)
            put(c);
    }

  private:
    static constexpr std::size_t kNumberBytes = 32;
    struct Member {
        std::string_view name;  // unescaped
        std::size_t start;      // in the text so far
        std::size_t end;        // there, without the comma; set when its object ends
    };
    struct Object {
        std::size_t first_member;
        bool in_order;
    };

    std::string_view run() const { return {run_, static_cast<std::size_t>(run_end_ - run_)}; }
    void flush() {
        if (out_.empty()) out_.reserve(source_bytes_);
        out_.append(run());
        run_ = run_end_;
    }
    // What the source may have just here.
    void put(char c) {
        if (run_end_ != source_end_ && *run_end_ == c) {
            ++run_end_;
            return;
        }
        flush();
        out_.push_back(c);
    }
    // What the source has at `from`.
    void put(const char* from, std::size_t size) {
        if (from != run_end_) {
            flush();
            run_ = from;
        }
        run_end_ = from + size;
    }
    std::vector<Member>::iterator first_of(const Object& object) {
        return members_.begin() + static_cast<std::ptrdiff_t>(object.first_member);
    }

    // False where a name stands twice.
    bool reorder(const Object& object) {
        flush();
        const auto first = first_of(object);
        const std::size_t start = first->start;
        for (auto member = first; member + 1 != members_.end(); ++member)
            member->end = (member + 1)->start - 1;
        members_.back().end = out_.size();
        std::sort(first, members_.end(),
                  [](const Member& a, const Member& b) { return name_before(a.name, b.name); });
        scratch_.clear();
        for (auto member = first; member != members_.end(); ++member) {
            if (member != first) {
                if ((member - 1)->name == member->name) return false;
                scratch_.push_back(',');
            }
            scratch_.append(out_, member->start, member->end - member->start);
        }
        out_.replace(start, std::string::npos, scratch_);
        return true;
    }

    const char* run_ = nullptr;
    const char* run_end_ = nullptr;
    const char* source_end_ = nullptr;
    std::size_t source_bytes_ = 0;
    std::string out_;
    std::vector<Member> members_;               // of the open objects, outermost first
    std::vector<Object> objects_;               // the open ones
    std::forward_list<std::string> unescaped_;  // names; their addresses must not change
    std::string scratch_;
    bool first_element_ = false;  // nothing came since the last array began
};

Canonicalizer::Canonicalizer() = default;
Canonicalizer::~Canonicalizer() = default;

bool Canonicalizer::read(Lexer& lexer, const ParseLimits& limits) {
    if (!writer_) writer_ = std::make_unique<Writer>();
    writer_->begin(lexer.rest());
    const Lexer begin = lexer;
    if (Reader<Writer>(lexer, limits, *writer_).run()) return true;
    // A name that stands twice shows only when its object ends; the error is the first one.
    lexer = begin;
    CHECK(!read_value(lexer, limits));
    return false;
}

std::string_view Canonicalizer::text() {
    return writer_->text();
}

void Canonicalizer::forget_large() {
    constexpr std::size_t kKept = 64 * 1024;
    if (writer_ && writer_->memory_bytes() > kKept) writer_.reset();
}

Result<std::string> canonicalize(std::string_view text, const ParseLimits& limits) {
    Canonicalizer canonicalizer;
    Lexer lexer(text);
    lexer.skip_space();
    if (!canonicalizer.read(lexer, limits) || !lexer.finish()) return lexer.take_error();
    return std::string(canonicalizer.text());
}

}  // namespace dyad::json
