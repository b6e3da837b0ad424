import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.PathNotFoundException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.springframework.expression.EvaluationContext;
import org.springframework.expression.ExpressionParser;
import org.springframework.expression.ParseException;
import org.springframework.expression.PropertyAccessor;
import org.springframework.expression.TypedValue;
import org.springframework.expression.spel.standard.SpelExpressionParser;
import org.springframework.expression.spel.support.StandardEvaluationContext;

/** Evaluates each line of questions.txt over the document that its section names. */
public final class Answers {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

    /** Reads JSON objects as Spring Integration's accessor for JSON does: what is missing is null. */
    private static final class JsonProperties implements PropertyAccessor {
        public Class<?>[] getSpecificTargetClasses() {
            return new Class<?>[] {Map.class};
        }

        public boolean canRead(EvaluationContext context, Object target, String name) {
            return true;
        }

        public TypedValue read(EvaluationContext context, Object target, String name) {
            return new TypedValue(((Map<?, ?>) target).get(name));
        }

        public boolean canWrite(EvaluationContext context, Object target, String name) {
            return false;
        }

        public void write(EvaluationContext context, Object target, String name, Object value) {
            throw new UnsupportedOperationException();
        }
    }

    public static Object jsonPath(Object json, String path) {
        // Compiled anew each time: a path that has a function keeps state in the compiled path.
        JsonPath compiled = JsonPath.compile(path);
        return json instanceof String text ? compiled.read(text) : compiled.read(json);
    }

    public static Object safeJsonPath(Object json, String path) {
        try {
            return jsonPath(json, path);
        } catch (PathNotFoundException missing) {
            return null;
        }
    }

    public static String dateTimeISOFormatterUTC(String text, String pattern) {
        return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(moment(text));
    }

    private static ZonedDateTime moment(String text) {
        ZoneId utc = ZoneId.of("UTC");
        if (!text.contains("T")) {
            return LocalDate.parse(text).atStartOfDay(utc);
        }
        try {
            return OffsetDateTime.parse(text).atZoneSameInstant(utc);
        } catch (RuntimeException noOffset) {
            return LocalDateTime.parse(text).atZone(utc);
        }
    }

    private static StandardEvaluationContext context(Map<String, Object> root) throws Exception {
        StandardEvaluationContext context = new StandardEvaluationContext(root);
        context.addPropertyAccessor(new JsonProperties());
        for (String name : List.of("jsonPath", "safeJsonPath")) {
            context.registerFunction(
                    name, Answers.class.getMethod(name, Object.class, String.class));
        }
        String dates = "dateTimeISOFormatterUTC";
        context.registerFunction(
                dates, Answers.class.getMethod(dates, String.class, String.class));
        return context;
    }

    private static Map<String, Object> answer(
            ExpressionParser parser, String name, String event, String text) throws Exception {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("document", name);
        answer.put("expression", text);
        try {
            Map<String, Object> root = JSON.readValue(event, OBJECT);
            Object value = parser.parseExpression(text).getValue(context(root));
            JSON.writeValueAsString(value);
            answer.put("value", value);
        } catch (ParseException error) {
            answer.put("error", "parse: " + firstLine(error));
        } catch (Throwable error) {
            answer.put("error", error.getClass().getSimpleName() + ": " + firstLine(error));
        }
        return answer;
    }

    private static String firstLine(Throwable error) {
        String line = String.valueOf(error.getMessage()).lines().findFirst().orElse("");
        return line.length() > 120 ? line.substring(0, 120) : line;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> documents =
                JSON.readValue(Files.readString(Path.of("documents.json")), OBJECT);
        ExpressionParser parser = new SpelExpressionParser();
        List<String> lines = new ArrayList<>();
        String name = "";
        for (String line : Files.readAllLines(Path.of("questions.txt"))) {
            if (line.startsWith("== ")) {
                name = line.substring(3);
            } else if (!line.isBlank()) {
                String event = JSON.writeValueAsString(documents.get(name));
                lines.add(JSON.writeValueAsString(answer(parser, name, event, line)));
            }
        }
        Files.writeString(
                Path.of("answers.json"), "[\n" + String.join(",\n", lines) + "\n]\n");
    }
}
